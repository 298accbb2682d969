//! Which function comes in which part.

use crate::data::Linked;
use crate::module::{Function, Module};
use anyhow::{bail, Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::ExternalKind;

/// The first part; the others count from 1.
pub const FIRST: usize = 0;

/// Functions that lie in the table and are smaller stay in the first part, unless they call others of theirs: they may be
/// several that had the same code.
const LEAST: usize = 64;

/// Functions that are smaller go where they are used, whatever their name, if they are used elsewhere too.
const SMALL: usize = 160;

/// How often what was moved may move something else; after that only what must move does.
const ROUNDS: usize = 12;

/// One part, as the table of parts describes it.
#[derive(Debug, Default)]
pub struct Part {
    pub name: String,
    /// Parts that are always there when this one is.
    pub needs: Vec<usize>,
    /// What stands in the names of its functions.
    patterns: Vec<String>,
    /// What stands in the names of those that are called directly from other parts.
    gates: Vec<String>,
    exports: Vec<String>,
}

/// The table of parts: `part NAME [needs OTHER, ...]`, and indented below it what belongs to it: a text that stands in the names of
/// functions, `export NAME`, or `gate TEXT`. Before all parts, `root TEXT` says what the names of the crate's own functions begin
/// with, and `keep TEXT` holds functions in the first part. `#` begins a comment.
pub struct Table {
    pub parts: Vec<Part>,
    keep: Vec<String>,
    /// What the names of the crate's own functions begin with.
    root: String,
}

impl Table {
    pub fn read(text: &str) -> Result<Table> {
        let first = Part { name: "first".into(), ..Part::default() };
        let mut table = Table { parts: vec![first], keep: Vec::new(), root: String::new() };
        for (number, line) in text.lines().enumerate() {
            let line = line.split(" #").next().unwrap_or_default().trim_end();
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let indented = line.starts_with(' ');
            match (indented, word) {
                (false, "keep") => table.keep.push(rest.into()),
                (false, "root") => table.root = rest.into(),
                (false, "part") => {
                    let (name, needs) = match rest.split_once(" needs ") {
                        Some((name, needs)) => {
                            let found = needs.split(", ").map(|needed| {
                                let found = table.parts.iter().position(|part| part.name == needed);
                                found.with_context(|| format!("line {}: no part {needed} before it", number + 1))
                            });
                            (name, found.collect::<Result<_>>()?)
                        }
                        None => (rest, Vec::new()),
                    };
                    table.parts.push(Part { name: name.into(), needs, ..Part::default() });
                }
                (true, _) => {
                    let part = table.parts.last_mut().filter(|part| part.name != "first").context("a line before the first part")?;
                    match word {
                        "gate" => part.gates.push(rest.into()),
                        "export" => part.exports.push(rest.into()),
                        _ => part.patterns.push(line.trim().into()),
                    }
                }
                _ => bail!("line {}: neither part nor keep: {line}", number + 1),
            }
        }
        Ok(table)
    }

    /// Where a function of this name wants to be: the longest text that stands in it decides.
    fn wanted(&self, name: &str) -> Option<usize> {
        let kept = self.keep.iter().map(|text| (text, FIRST));
        let all = self.parts.iter().enumerate().flat_map(|(index, part)| part.patterns.iter().map(move |text| (text, index)));
        kept.chain(all).filter(|(text, _)| name.contains(text.as_str())).max_by_key(|(text, _)| text.len()).map(|(_, part)| part)
    }

    fn declares(&self, part: usize, name: &str) -> bool {
        self.parts[part].gates.iter().any(|text| name.contains(text.as_str()))
    }

    fn ours(&self, name: &str) -> bool {
        name.trim_start_matches('<').starts_with(&self.root)
    }

    /// Whether `needed` is there whenever `part` is.
    pub fn is_there(&self, part: usize, needed: usize) -> bool {
        needed == FIRST || part == needed || self.parts[part].needs.iter().any(|next| self.is_there(*next, needed))
    }

    /// The part that is there whenever one of these is, and comes last.
    pub fn common(&self, parts: &BTreeSet<usize>) -> usize {
        let there = |common: &usize| !parts.is_empty() && parts.iter().all(|part| self.is_there(*part, *common));
        (0..self.parts.len()).rev().find(there).unwrap_or(FIRST)
    }
}

/// What becomes of the module.
pub struct Plan {
    /// The part of each function of the module itself.
    pub place: Vec<usize>,
    /// Functions that are called from where they may not be yet, and the new slots of the table they are called through.
    pub gates: BTreeMap<u32, u32>,
    /// Data that does not come with the first part: address, length, part.
    pub data: Vec<(u32, u32, usize)>,
    /// Functions that lie in the first part because several parts share them, and that nothing in the first part calls: each part
    /// that does has its own copy, and the first one none.
    pub copied: BTreeSet<u32>,
}

impl Plan {
    pub fn new(module: &Module, table: &Table, linked: Option<&Linked>) -> Result<Plan> {
        let imported = module.imports.len() as u32;
        let count = module.functions.len();
        let mut in_table = vec![0; count];
        for function in module.slots.iter().flatten().filter_map(|function| function.checked_sub(imported)) {
            in_table[function as usize] += 1;
        }
        let mut exported = BTreeMap::new();
        for (name, kind, index) in &module.exports {
            if *kind == ExternalKind::Func {
                if let Some(own) = index.checked_sub(imported) {
                    exported.entry(own as usize).or_insert_with(Vec::new).push(*name);
                }
            }
        }
        let calls = |function: &Function, part: Option<usize>| {
            let callees = function.calls.iter().filter_map(|callee| module.own(*callee));
            part.is_some_and(|part| part != FIRST) && callees.into_iter().any(|callee| table.wanted(&callee.name) == part)
        };
        // What is wanted somewhere by its name; everything else goes where it is used.
        let mut seeds: Vec<Option<usize>> = Vec::with_capacity(count);
        for (index, function) in module.functions.iter().enumerate() {
            // What is generic goes where it is used, unless it is used through the table: code that is the same is there once,
            // under the name of one of those who use it.
            let named = table.wanted(&function.name);
            // Large ones that a gate names are the part's all the same, such as drops of its types.
            let gated = named.is_some_and(|part| function.size() >= SMALL && table.declares(part, &function.name));
            let mut wanted = if table.ours(&function.name) || in_table[index] > 0 || gated { named } else { None };
            if in_table[index] > 1 || in_table[index] == 1 && function.size() < LEAST && !calls(function, wanted) {
                wanted = Some(FIRST);
            }
            if let Some(names) = exported.get(&index) {
                let by_export = |part: &Part| names.iter().all(|name| part.exports.iter().any(|export| export == name));
                wanted = Some(table.parts.iter().position(by_export).unwrap_or(FIRST));
            } else if in_table[index] > 0 && wanted.is_none() {
                wanted = Some(FIRST);
            }
            seeds.push(wanted);
        }
        for part in &table.parts {
            for export in &part.exports {
                if !exported.values().flatten().any(|name| name == export) {
                    bail!("{}: there is no export {export}", part.name);
                }
            }
        }
        for function in module.functions.iter().flat_map(|function| &function.refs) {
            if let Some(own) = function.checked_sub(imported) {
                seeds[own as usize] = Some(FIRST);
            }
        }
        // A small function that others call too is one that had the same code, or nobody's in particular.
        while let Some(small) = module.functions.iter().enumerate().find_map(|(index, function)| {
            function.calls.iter().filter_map(|callee| callee.checked_sub(imported)).map(|callee| callee as usize).find(|callee| {
                let (Some(from), Some(to)) = (seeds[index], seeds[*callee]) else { return false };
                let callee = &module.functions[*callee];
                callee.size() < SMALL && !table.is_there(from, to) && !table.declares(to, &callee.name)
            })
        }) {
            seeds[small] = if in_table[small] > 0 || exported.contains_key(&small) { Some(FIRST) } else { None };
        }
        let mut place = settled(module, table, &seeds);
        // What is called by way of objects, such as virtual methods and drops of what is behind a pointer, goes where those who use
        // the objects can all be. Others may make objects of a part, when that is there; but code that was the same is there once,
        // under the name of one of those who use it, and then it has to be where all of them are.
        if let Some(linked) = linked {
            for _ in 0..ROUNDS {
                let callers = linked.callers(module, &place)?;
                let mut changed = false;
                for (function, (objects, users)) in &callers {
                    let Some(own) = function.checked_sub(imported).map(|own| own as usize) else { continue };
                    if exported.contains_key(&own) {
                        continue;
                    }
                    let body = &module.functions[own];
                    let pointed = linked.is_pointed_to(module, *function);
                    let part = match table.wanted(&body.name).filter(|part| *part != FIRST) {
                        Some(part) => {
                            let there = users.iter().all(|user| table.is_there(*user, part));
                            let alike = *objects > 1 || body.size() < LEAST && !calls(body, Some(part));
                            match (there && !pointed, alike) {
                                (true, _) | (_, false) => part,
                                (false, true) if pointed => FIRST,
                                (false, true) => table.common(users),
                            }
                        }
                        None if pointed => FIRST,
                        None => table.common(users),
                    };
                    changed |= seeds[own] != Some(part);
                    seeds[own] = Some(part);
                }
                if !changed {
                    break;
                }
                place = settled(module, table, &seeds);
            }
        }
        let mut gates = BTreeMap::new();
        let mut wrong = Vec::new();
        for (index, function) in module.functions.iter().enumerate() {
            for callee in &function.calls {
                let Some(own) = callee.checked_sub(imported) else { continue };
                let (from, to) = (place[index], place[own as usize]);
                if from == to || to == FIRST {
                    continue;
                }
                let name = &module.functions[own as usize].name;
                if !table.is_there(from, to) && !table.declares(to, name) {
                    wrong.push(format!("  {} -> {}: {} calls {name}", table.parts[from].name, table.parts[to].name, function.name));
                }
                gates.insert(*callee, 0);
            }
        }
        if !wrong.is_empty() {
            bail!("calls into parts that are not declared as gates:\n{}", wrong.join("\n"));
        }
        for (slot, gate) in gates.values_mut().enumerate() {
            *gate = (module.slots.len() + slot) as u32;
        }
        let copied = strays(module, &place);
        Ok(Plan { place, gates, copied, data: Vec::new() })
    }
}

impl Plan {
    /// What of a part's functions are copies, given its others.
    pub fn copies(&self, module: &Module, own: &[u32]) -> Vec<u32> {
        let mut open = own.to_vec();
        let mut found = BTreeSet::new();
        while let Some(at) = open.pop() {
            let calls = module.own(at).into_iter().flat_map(|function| &function.calls);
            open.extend(calls.filter(|callee| self.copied.contains(callee) && found.insert(**callee)));
        }
        found.into_iter().collect()
    }

    /// The slot through which a part calls this function; `None` where it calls it directly.
    pub fn gate(&self, module: &Module, part: usize, function: u32) -> Option<u32> {
        let own = (function as usize).checked_sub(module.imports.len())?;
        let place = self.place[own];
        if place == part || place == FIRST {
            None
        } else {
            self.gates.get(&function).copied()
        }
    }
}

/// Functions of the first part that nothing of it reaches, from what is exported, in the table or referred to.
fn strays(module: &Module, place: &[usize]) -> BTreeSet<u32> {
    let imported = module.imports.len() as u32;
    let exported = module.exports.iter().filter(|(_, kind, _)| *kind == ExternalKind::Func).map(|(_, _, index)| *index);
    let referred = module.functions.iter().flat_map(|function| &function.refs).copied();
    let mut open: Vec<u32> = exported.chain(module.slots.iter().flatten().copied()).chain(referred).collect();
    let mut reached = BTreeSet::new();
    while let Some(at) = open.pop() {
        let Some(own) = module.own(at).filter(|_| place[(at - imported) as usize] == FIRST) else { continue };
        if reached.insert(at) {
            open.extend(&own.calls);
        }
    }
    let first = (0..place.len()).filter(|index| place[*index] == FIRST).map(|index| index as u32 + imported);
    first.filter(|function| !reached.contains(function)).collect()
}

/// Where functions come: those that are wanted somewhere there, all others where they are used.
fn settled(module: &Module, table: &Table, seeds: &[Option<usize>]) -> Vec<usize> {
    let imported = module.imports.len() as u32;
    // Who reaches a function that nobody wanted, without passing one that somebody did.
    let mut users: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); seeds.len()];
    for (index, seed) in seeds.iter().enumerate() {
        let Some(part) = seed else { continue };
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            for callee in module.functions[at].calls.iter().filter_map(|callee| callee.checked_sub(imported)) {
                let callee = callee as usize;
                if seeds[callee].is_none() && users[callee].insert(*part) {
                    open.push(callee);
                }
            }
        }
    }
    seeds.iter().zip(&users).map(|(seed, users)| seed.unwrap_or_else(|| table.common(users))).collect()
}
