/* SPDX-License-Identifier: MIT */
/* The account of all replicas; script.h holds the contract. */
#include "service/quotas/script.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * The numbers of a holding:
 *   1 number of the last call   2 covered       3 uncovered      4 held       5 expires, in ms
 *   6 expired amount            7 its slot      8 lacked, in ms  9 called, in ms
 *   10 whether its end was put off
 *
 * A holding that is found expired after a silence of all gets one more lease: Redis was away rather than its process.
 * A process that nobody has heard of for ten leases is forgotten.
 */
const char script_text[] =
    "local key,id=KEYS[1],ARGV[1]\n"
    "local function arg(i) return tonumber(ARGV[i]) end\n"
    "local call,covered,uncovered=arg(2),arg(3),arg(4)\n"
    "local known_covered,known_uncovered=arg(5),arg(6)\n"
    "local want,must,least,limit=arg(7),arg(8),arg(9),arg(10)\n"
    "local slot,leaves,lease=arg(11),ARGV[12]=='1',10000\n"
    "local clock=redis.call('TIME')\n"
    "local now=tonumber(clock[1])*1000+math.floor(tonumber(clock[2])/1000)\n"
    "local floor,max,min=math.floor,math.max,math.min\n"
    "local function text(n) return string.format('%.0f',n) end\n"
    "local function month(days)\n"
    " local z=days+719468\n"
    " local era=floor(z/146097)\n"
    " local doe=z-era*146097\n"
    " local yoe=floor((doe-floor(doe/1460)+floor(doe/36524)-floor(doe/146096))/365)\n"
    " local mp=floor((5*(doe-(365*yoe+floor(yoe/4)-floor(yoe/100)))+2)/153)\n"
    " local m=mp<10 and mp+3 or mp-9\n"
    " return (yoe+era*400+(m<=2 and 1 or 0))*12+m\n"
    "end\n"
    "local day=floor(now/86400000)\n"
    "local current=slot>0 and floor(now/slot) or slot==0 and day or slot==-1 and month(day) or 0\n"
    /* what is known */
    "local slots,changed,gone,holders,touched={},{},{},{},now\n"
    "local all=redis.call('HGETALL',key)\n"
    "for i=1,#all,2 do\n"
    " local kind,name,value=string.sub(all[i],1,1),string.sub(all[i],2),all[i+1]\n"
    " if kind=='s' then slots[tonumber(name)]=tonumber(value)\n"
    " elseif kind=='t' then touched=tonumber(value)\n"
    " else\n"
    "  local holder={}\n"
    "  for word in string.gmatch(value,'%S+') do holder[#holder+1]=tonumber(word) end\n"
    "  holders[name]=holder\n"
    " end\n"
    "end\n"
    "local me=holders[id]\n"
    "if me and call<=me[1] then return {-1,0,0,0,0,0} end\n"
    /* the window: a clock that goes back forgets nothing */
    "local used=0\n"
    "for n in pairs(slots) do current=max(current,n) end\n"
    "for n,amount in pairs(slots) do\n"
    " if n<(slot>0 and current-60 or current) then gone[#gone+1]='s'..text(n) slots[n]=nil\n"
    " else used=used+amount end\n"
    "end\n"
    "local function add(n,amount) slots[n]=(slots[n] or 0)+amount changed[n]=true used=used+amount end\n"
    /* the holdings of all */
    "local held,count,lacks=0,leaves and 0 or 1,0\n"
    "local quiet=now-touched>lease/2\n"
    "for name,holder in pairs(holders) do\n"
    " local before=table.concat(holder,' ')\n"
    " holder[5]=min(holder[5],now+lease)\n"
    " holder[9]=min(holder[9],now)\n"
    " if holder[5]<=now and holder[4]>0 and quiet and holder[10]==0 then holder[5]=now+lease holder[10]=1 end\n"
    " if holder[5]<=now and holder[4]>0 then\n"
    "  if slot>-2 then add(current,holder[4]) holder[6]=holder[4] holder[7]=current end\n"
    "  holder[4]=0\n"
    " end\n"
    " if name~=id then\n"
    "  held=held+holder[4]\n"
    "  if holder[5]>now then count=count+1 end\n"
    "  if holder[8]<=now and holder[8]>now-2000 then lacks=1 end\n"
    "  if holder[4]==0 and holder[9]<=now-lease*10 then gone[#gone+1]='h'..name\n"
    "  elseif table.concat(holder,' ')~=before then changed[name]=holder end\n"
    " end\n"
    "end\n"
    /* what the process has used */
    "me=me or {0,known_covered,known_uncovered,0,0,0,0,0,0,0}\n"
    "if me[6]>0 and (slots[me[7]] or 0)>=me[6] then add(me[7],-me[6]) me[4]=me[4]+me[6] end\n"
    "me[6]=0\n"
    "local more=max(covered-me[2],0)\n"
    "me[4]=me[4]-min(more,me[4])\n"
    "more=more+max(uncovered-me[3],0)\n"
    "if more>0 then add(current,more) end\n"
    "me[1]=call me[2]=covered me[3]=uncovered\n"
    /* what it gets, or gives back */
    "local ceiling=covered+me[4]\n"
    "if want<ceiling then me[4]=max(want-covered,0)\n"
    "else me[4]=me[4]+min(want-ceiling,max(limit-used-held-me[4],0)) end\n"
    "me[8]=must>covered+me[4] and now or 0\n"
    "me[5]=leaves and 0 or now+lease\n"
    "me[9]=now me[10]=0\n"
    "changed[id]=me\n"
    /* what is left, and when there is more */
    "local function left_in(most)\n"
    " local rest=used\n"
    " if rest<=most then return 0 end\n"
    " if slot<=0 then return -1 end\n"
    " for n=current-60,current do\n"
    "  rest=rest-(slots[n] or 0)\n"
    "  if rest<=most then return (n+61)*slot-now end\n"
    " end\n"
    " return -1\n"
    "end\n"
    "local wait=left_in(max(limit-least,0))\n"
    "local reset=left_in(0)\n"
    "local write={'t',text(now)}\n"
    "for name,value in pairs(changed) do\n"
    " if value~=true then\n"
    "  for i=1,10 do value[i]=text(value[i]) end\n"
    "  write[#write+1]='h'..name write[#write+1]=table.concat(value,' ')\n"
    " elseif slots[name]==0 then gone[#gone+1]='s'..text(name)\n"
    " else write[#write+1]='s'..text(name) write[#write+1]=text(slots[name]) end\n"
    "end\n"
    "local free=max(limit-used-held-tonumber(me[4]),0)\n"
    "redis.call('HSET',key,unpack(write))\n"
    "if #gone>0 then redis.call('HDEL',key,unpack(gone)) end\n"
    "local life=slot>0 and slot*122 or slot==0 and 172800000 or slot==-1 and 5443200000 or 0\n"
    "redis.call('PEXPIRE',key,text(max(life,lease*11)))\n"
    "return {covered+tonumber(me[4]),count,lacks,free,wait,reset}\n";

int script_slot_ms(unsigned unit, enum quota_window kind)
{
	static const int slots_ms[QUOTA_WINDOWS] = {
	    [QUOTA_SECOND] = 17, [QUOTA_MINUTE] = 1000, [QUOTA_HOUR] = 60000, [QUOTA_DAY] = 0, [QUOTA_MONTH] = -1};
	return unit == QUOTA_CONCURRENT ? -2 : slots_ms[kind];
}

void script_write(const struct script_ask *ask, char text[SCRIPT_TEXT_SIZE], struct span args[SCRIPT_ARGS])
{
	const uint64_t numbers[] = {ask->number, ask->covered, ask->uncovered, ask->known_covered, ask->known_uncovered,
				    ask->want,   ask->must,    ask->least,     ask->limit};
	size_t count = 1, used = 0;
	args[0] = span_of(ask->id);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int len = snprintf(text + used, SCRIPT_TEXT_SIZE - used, "%" PRIu64, numbers[i]);
		args[count++] = (struct span){text + used, (size_t)len};
		used += (size_t)len;
	}
	int len = snprintf(text + used, SCRIPT_TEXT_SIZE - used, "%d", script_slot_ms(ask->unit, ask->kind));
	args[count++] = (struct span){text + used, (size_t)len};
	args[count] = ask->leaves ? SPAN("1") : SPAN("0");
}

bool script_read(const int64_t *numbers, size_t count, struct script_answer *answer)
{
	if (count != SCRIPT_REPLIES || numbers[0] < 0 || numbers[1] < 0 || numbers[3] < 0)
		return false;
	*answer = (struct script_answer){.ceiling = (uint64_t)numbers[0],
					 .holders = (uint64_t)numbers[1],
					 .others_lack = numbers[2] != 0,
					 .free = (uint64_t)numbers[3],
					 .wait_ms = numbers[4],
					 .reset_ms = numbers[5]};
	return true;
}
