/* SPDX-License-Identifier: MIT */
/* The script that Redis runs, in Lua; script.h holds the contract. C has no strings as long as that: it is in parts. */
#include <string.h>

#include "service/quotas/script.h"

/*
 * The numbers of a holding:
 *   1 number of the last call   2 covered       3 uncovered      4 held       5 expires, in ms
 *   6 expired amount            7 its slot      8 lacked, in ms  9 called, in ms
 *   10 whether its end was put off
 *
 * A holding that is found expired after a silence of all gets one more lease: Redis was away rather than its process.
 * A process that nobody has heard of for ten leases is forgotten.
 *
 * room() is the rule of shares.c. Where there are shares and less than a quarter of the limit is free, nobody holds
 * anything in spare: what a process holds so of a share is what another process lacks of it.
 */
static const char set_up[] =
    "local function arg(i) return tonumber(ARGV[i]) end\n"
    "local call,covered,uncovered=arg(2),arg(3),arg(4)\n"
    "local known_covered,known_uncovered=arg(5),arg(6)\n"
    "local want,must,least,limit=arg(7),arg(8),arg(9),arg(10)\n"
    "local slot,leaves,lease=arg(11),ARGV[12]=='1',10000\n"
    "local child,asked,split=ARGV[13],arg(14),ARGV[15]~=''\n"
    "local idle,enough=arg(16),arg(17)\n"
    "local key,id=KEYS[1],child=='' and ARGV[1] or ARGV[1]..':'..child\n"
    "local clock=redis.call('TIME')\n"
    "local seconds=tonumber(clock[1])\n"
    "local now=seconds*1000+math.floor(tonumber(clock[2])/1000)\n"
    "local floor,max,min,match=math.floor,math.max,math.min,string.match\n"
    "local function text(n) return string.format('%.0f',n) end\n"
    "local shares={}\n"
    "for name,percent in string.gmatch(ARGV[15],'(%S+) (%d+)') do shares[name]=floor(limit*tonumber(percent)/100) end\n"
    "local day=floor(now/86400000)\n"
    "local function month()\n"
    " local z=day+719468\n"
    " local era=floor(z/146097)\n"
    " local doe=z-era*146097\n"
    " local yoe=floor((doe-floor(doe/1460)+floor(doe/36524)-floor(doe/146096))/365)\n"
    " local doy=doe-(365*yoe+floor(yoe/4)-floor(yoe/100))\n"
    " local mp=floor((5*doy+2)/153)\n"
    " local m=mp<10 and mp+3 or mp-9\n"
    " local year=yoe+era*400+(m<=2 and 1 or 0)\n"
    " local leap=year%4==0 and (year%100~=0 or year%400==0)\n"
    " local days=m==2 and (leap and 29 or 28) or (m==4 or m==6 or m==9 or m==11) and 30 or 31\n"
    " return year*12+m,days,doy-floor((153*mp+2)/5)\n"
    "end\n"
    "local number,days,past=month()\n"
    "local current=slot>0 and floor(now/slot) or slot==0 and day or slot==-1 and number or 0\n";

static const char known[] =
    /* what is known */
    "local slots,changed,gone,holders,asks,asked_before,lost,touched={},{},{},{},{},{},{},now\n"
    "local all=redis.call('HGETALL',key)\n"
    "for i=1,#all,2 do\n"
    " local kind,name,value=string.sub(all[i],1,1),string.sub(all[i],2),all[i+1]\n"
    " if kind=='s' then slots[name]=tonumber(value)\n"
    " elseif kind=='t' then touched=tonumber(value)\n"
    " elseif kind=='a' then\n"
    "  local at,since=match(value,'(%d+) (%d+)')\n"
    "  asks[name]={min(tonumber(at),now),min(tonumber(since),now)}\n"
    "  asked_before[name]=true\n"
    " elseif kind=='l' then\n"
    "  local period,amount=match(value,'(%d+) (%d+)')\n"
    "  lost[name]={tonumber(period),tonumber(amount)}\n"
    " else\n"
    "  local holder={}\n"
    "  for word in string.gmatch(value,'%S+') do holder[#holder+1]=tonumber(word) end\n"
    "  holders[name]=holder\n"
    " end\n"
    "end\n"
    "local me=holders[id]\n"
    "if me and call<=me[1] then return {-1,0,0,0,0,0,0} end\n"
    "local function number_of(name) return tonumber(name) or tonumber(match(name,'^%d+')) end\n"
    "local function child_of(name) return match(name,':(.*)$') or '' end\n"
    "local function slot_of(n,whose) return whose=='' and text(n) or text(n)..':'..whose end\n";

static const char window[] =
    /* the window: a clock that goes back forgets nothing */
    "local used,used_by=0,{}\n"
    "local function count_use(whose,amount) used=used+amount used_by[whose]=(used_by[whose] or 0)+amount end\n"
    "for name in pairs(slots) do current=max(current,number_of(name)) end\n"
    "for name,amount in pairs(slots) do\n"
    " if number_of(name)<(slot>0 and current-60 or current) then gone[#gone+1]='s'..name slots[name]=nil\n"
    " else count_use(child_of(name),amount) end\n"
    "end\n"
    "local function add(n,whose,amount)\n"
    " local name=slot_of(n,whose)\n"
    " slots[name]=(slots[name] or 0)+amount\n"
    " changed[name]=true\n"
    " count_use(whose,amount)\n"
    "end\n"
    /* who asks */
    "local function forget_asks()\n"
    " for name,ask in pairs(asks) do\n"
    "  if ask[1]<=now-(slot>0 and slot*61 or 60000) then asks[name]=nil end\n"
    " end\n"
    "end\n"
    "forget_asks()\n"
    "if child~='' and asked>=0 then\n"
    " asks[child]=asks[child] or {0,now}\n"
    " asks[child][1]=max(asks[child][1],now-asked)\n"
    " forget_asks()\n"
    "end\n"
    "local function goes_before(name)\n"
    " local mine,other=asks[child],asks[name]\n"
    " return mine and other and (mine[2]<other[2] or mine[2]==other[2] and child<name)\n"
    "end\n";

static const char holdings[] =
    /* the holdings of all */
    "local held,held_by,count,lacks,seen=0,{},leaves and 0 or 1,0,{}\n"
    "local function process_of(name) return match(name,'^[^-:]*') end\n"
    "if not leaves then seen[process_of(id)]=true end\n"
    "local quiet=now-touched>lease/2\n"
    "for name,holder in pairs(holders) do\n"
    " local before,whose=table.concat(holder,' '),child_of(name)\n"
    " holder[5]=min(holder[5],now+lease)\n"
    " holder[9]=min(holder[9],now)\n"
    " if holder[5]<=now and holder[4]>0 and quiet and holder[10]==0 then holder[5]=now+lease holder[10]=1 end\n"
    " if holder[5]<=now and holder[4]>0 then\n"
    "  if slot>-2 then add(current,whose,holder[4]) holder[6]=holder[4] holder[7]=current end\n"
    "  holder[4]=0\n"
    " end\n"
    " if name~=id then\n"
    "  held=held+holder[4]\n"
    "  held_by[whose]=(held_by[whose] or 0)+holder[4]\n"
    "  if holder[5]>now and not (split and seen[process_of(name)]) then count=count+1 seen[process_of(name)]=true end\n"
    "  if holder[8]<=now and holder[8]>now-2000 then lacks=1 end\n"
    "  if holder[4]==0 and holder[9]<=now-lease*10 then gone[#gone+1]='h'..name\n"
    "  elseif table.concat(holder,' ')~=before then changed[name]=holder end\n"
    " end\n"
    "end\n"
    /* what the process has used */
    "me=me or {0,known_covered,known_uncovered,0,0,0,0,0,0,0}\n"
    "if me[6]>0 and (slots[slot_of(me[7],child)] or 0)>=me[6] then add(me[7],child,-me[6]) me[4]=me[4]+me[6] end\n"
    "me[6]=0\n"
    "local more=max(covered-me[2],0)\n"
    "me[4]=me[4]-min(more,me[4])\n"
    "more=more+max(uncovered-me[3],0)\n"
    "if more>0 then add(current,child,more) end\n"
    "me[1]=call me[2]=covered me[3]=uncovered\n";

static const char room[] =
    /* what is left for it, and kept for others */
    "local length=slot==0 and 86400 or days*86400\n"
    "local rest=(slot==0 and 86400 or (days-past)*86400)-seconds%86400\n"
    "local function lost_of(name,share,taken,later)\n"
    " local known=lost[name]\n"
    " local part=floor(share*max(rest-later,0)/length)\n"
    " return max(share-taken-part,known and known[1]==current and known[2] or 0,0)\n"
    "end\n"
    "local function room(total,taken,later)\n"
    " local kept,before,own=0,0,0\n"
    " for name,share in pairs(shares) do\n"
    "  local unused=max(share-taken(name),0)\n"
    "  if name==child then own=unused\n"
    "  elseif slot==0 or slot==-1 then\n"
    "   local part=max(share-taken(name)-lost_of(name,share,taken(name),later),0)\n"
    "   kept=kept+part before=before+part\n"
    "  elseif asks[name] then\n"
    "   kept=kept+unused\n"
    "   if not goes_before(name) then before=before+unused end\n"
    "  end\n"
    " end\n"
    " local left=max(limit-total,0)\n"
    " return max(min(own,left-before),left-kept,0)\n"
    "end\n"
    "local function taken_by(name) return (used_by[name] or 0)+(held_by[name] or 0)+(name==child and me[4] or 0) end\n"
    "if slot==0 or slot==-1 then\n"
    " for name,share in pairs(shares) do lost[name]={current,lost_of(name,share,taken_by(name),0)} end\n"
    "end\n"
    "local function room_now() return room(used+held+me[4],taken_by,0) end\n"
    /* what it gets, or gives back */
    "local ceiling=covered+me[4]\n"
    "if want<ceiling then me[4]=max(want-covered,0)\n"
    "else\n"
    " local more=min(want-ceiling,room_now())\n"
    " if must==0 or ceiling+more>=idle+enough then me[4]=me[4]+more end\n"
    "end\n"
    "me[8]=must>covered+me[4] and now or 0\n"
    "me[5]=leaves and 0 or now+lease\n"
    "me[9]=now me[10]=0\n"
    "changed[id]=me\n"
    "if split and (limit-used-held-me[4])*4<limit then lacks=1 end\n"
    "local free=room_now()\n"
    "local asked_for=(used_by[child] or 0)+must-covered\n"
    "local owed=me[8]>0 and shares[child] and (held_by[child] or 0)>0 and asked_for<=shares[child] and 1 or 0\n";

static const char waits[] =
    /* when there is more */
    "local function wait_for(amount)\n"
    " amount=min(amount,limit)\n"
    " local total,left=used,{}\n"
    " local function bare(name) return left[name] or 0 end\n"
    " local function fits(later) return total<=limit-amount and room(total,bare,later)>=amount end\n"
    " for whose,n in pairs(used_by) do left[whose]=n end\n"
    " if fits(0) then return 0 end\n"
    " if slot==-2 then return 0 end\n"
    " if slot<=0 then\n"
    "  local from,to=0,split and rest or 0\n"
    "  while from<to do\n"
    "   local middle=floor((from+to)/2)\n"
    "   if fits(middle) then to=middle else from=middle+1 end\n"
    "  end\n"
    "  return from>0 and from<rest and from*1000 or -1\n"
    " end\n"
    " local by_number={}\n"
    " for name,n in pairs(slots) do\n"
    "  local at=number_of(name)\n"
    "  by_number[at]=by_number[at] or {}\n"
    "  by_number[at][child_of(name)]=n\n"
    " end\n"
    " for n=current-60,current do\n"
    "  for whose,gone_then in pairs(by_number[n] or {}) do total=total-gone_then left[whose]=left[whose]-gone_then "
    "end\n"
    "  if fits(0) then return (n+61)*slot-now end\n"
    " end\n"
    " return (current+61)*slot-now\n"
    "end\n"
    "local wait=wait_for(least)\n"
    "shares={}\n"
    "local reset=wait_for(limit)\n"
    "local write={'t',text(now)}\n"
    "for name,value in pairs(changed) do\n"
    " if value~=true then\n"
    "  for i=1,10 do value[i]=text(value[i]) end\n"
    "  write[#write+1]='h'..name write[#write+1]=table.concat(value,' ')\n"
    " elseif slots[name]==0 then gone[#gone+1]='s'..name\n"
    " else write[#write+1]='s'..name write[#write+1]=text(slots[name]) end\n"
    "end\n"
    "for name in pairs(asked_before) do\n"
    " if not asks[name] then gone[#gone+1]='a'..name end\n"
    "end\n"
    "for name,known in pairs(lost) do\n"
    " if known[1]==current then write[#write+1]='l'..name write[#write+1]=text(known[1])..' '..text(known[2])\n"
    " else gone[#gone+1]='l'..name end\n"
    "end\n"
    "for name,ask in pairs(asks) do\n"
    " write[#write+1]='a'..name\n"
    " write[#write+1]=text(ask[1])..' '..text(ask[2])\n"
    "end\n"
    "redis.call('HSET',key,unpack(write))\n"
    "if #gone>0 then redis.call('HDEL',key,unpack(gone)) end\n"
    "local life=slot>0 and slot*122 or slot==0 and 172800000 or slot==-1 and 5443200000 or 0\n"
    "redis.call('PEXPIRE',key,text(max(life,lease*11)))\n"
    "return {covered+tonumber(me[4]),count,lacks,free,wait,reset,owed}\n";

void script_write_text(char text[SCRIPT_LUA_SIZE])
{
	static const struct span parts[] = {{set_up, sizeof(set_up) - 1}, {known, sizeof(known) - 1},
					    {window, sizeof(window) - 1}, {holdings, sizeof(holdings) - 1},
					    {room, sizeof(room) - 1},     {waits, sizeof(waits) - 1}};
	_Static_assert(sizeof(set_up) + sizeof(known) + sizeof(window) + sizeof(holdings) + sizeof(room) +
			       sizeof(waits) <
			   SCRIPT_LUA_SIZE,
		       "the script has room");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		memcpy(text, parts[i].at, parts[i].len);
		text += parts[i].len;
	}
	*text = '\0';
}
