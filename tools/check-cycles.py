#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the cycles among the modules of a folder; fails when there are any.

A module is x.c with x.h. It uses another one when it includes its header, or calls a function that the other one
defines. Headers named *internal.h belong to the whole folder: what they include counts, who includes them does not.

Files that are one module all the same are listed after the folder; they may use each other, and count as one.

  tools/check-cycles.py FOLDER[=FILE,FILE,...]...
"""
import pathlib
import re
import sys

DEFINITION = re.compile(r'^(?!static)[a-z][\w *]*?\b(\w+)\([^;]*$', re.M)
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)


def strip(text):
    text = re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def modules_of(folder):
    sources, owner, uses = {}, {}, {}
    for path in sorted(pathlib.Path(folder).glob('*.c')):
        text = path.read_text()
        sources[path.stem] = strip(text)
        uses[path.stem] = {pathlib.Path(i).stem for i in INCLUDE.findall(text) if str(pathlib.Path(i).parent) == folder}
        for name in DEFINITION.findall(sources[path.stem]):
            owner.setdefault(name, path.stem)
    for path in sorted(pathlib.Path(folder).glob('*.h')):
        if path.stem in uses:
            included = INCLUDE.findall(path.read_text())
            uses[path.stem] |= {pathlib.Path(i).stem for i in included if str(pathlib.Path(i).parent) == folder}
    return sources, owner, uses


def graph_of(folder, with_includes):
    sources, owner, uses = modules_of(folder)
    graph = {}
    for module, text in sources.items():
        called = {owner[name] for name in re.findall(r'\b(\w+)\(', text) if name in owner}
        graph[module] = (called | (uses[module] if with_includes else set())) & sources.keys() - {module}
    return graph


def components(graph):
    """Tarjan's strongly connected components."""
    index, low, stack, found = {}, {}, [], []

    def visit(at):
        index[at] = low[at] = len(index)
        stack.append(at)
        for to in graph[at]:
            if to not in index:
                visit(to)
            if to in stack:
                low[at] = min(low[at], low[to])
        if low[at] == index[at]:
            part = []
            while not part or part[-1] != at:
                part.append(stack.pop())
            found.append(sorted(part))

    for at in graph:
        if at not in index:
            visit(at)
    return [part for part in found if len(part) > 1]


def joined(graph, together):
    """The graph with the files of one module as one node."""
    unknown = together - graph.keys()
    if unknown:
        sys.exit(f'no such files: {", ".join(sorted(unknown))}')
    name = '+'.join(sorted(together))
    result = {}
    for module, uses in graph.items():
        at = name if module in together else module
        result.setdefault(at, set()).update(name if use in together else use for use in uses)
    return {module: uses - {module} for module, uses in result.items()}


def main():
    failed = False
    for argument in sys.argv[1:]:
        folder, _, files = argument.partition('=')
        folder = folder.rstrip('/')
        graph = graph_of(folder, True)
        if files:
            graph = joined(graph, set(files.split(',')))
        for part in components(graph):
            failed = True
            print(f'{folder}: these files use each other in a circle: {", ".join(part)}')
            for module in part:
                print(f'  {module} uses {", ".join(sorted(graph[module] & set(part)))}')
    return 1 if failed else 0


sys.exit(main())
