//! Which constants come in which part: texts and tables that only one part's functions use come with it.
//!
//! Where a constant begins and ends, and which of them point to others, is known from the relocations that the linker leaves in
//! the module as it was linked; nothing after it moves data. What a function uses is read from its code as it is now: every
//! number in it that could be an address counts as one.

use crate::module::{constant, Module};
use crate::plan::{Plan, Table, FIRST};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use wasmparser::{DataKind, KnownCustom, Linking, Parser, Payload, RelocationType, SymbolInfo};

/// Runs of moved bytes that are shorter stay where they are as zeros: another segment would take as many bytes.
const GAP: u32 = 24;

/// The part of what comes with none.
const NOWHERE: usize = usize::MAX;

/// A constant or static of the crate.
#[derive(Debug)]
struct Object {
    at: u32,
    size: u32,
    /// What it points to.
    refs: BTreeSet<usize>,
    /// Where it holds slots of the table of functions.
    slots: BTreeSet<u32>,
}

/// The constants of the module as it was linked.
pub struct Linked {
    objects: Vec<Object>,
    /// Numbers in the code that stand for addresses, and what they belong to: it need not lie there.
    known: BTreeMap<u32, BTreeSet<usize>>,
    /// Slots of the table that stand in code: functions given away as such.
    pointed: BTreeSet<u32>,
}

impl Linked {
    pub fn read(bytes: &[u8]) -> Result<Linked> {
        // Segments: address, where their bytes are in the section, and their length.
        let mut segments: Vec<(u32, u32, u32)> = Vec::new();
        let mut symbols: Vec<Option<(u32, u32)>> = Vec::new();
        let (mut in_code, mut in_data, mut slots) = (Vec::new(), Vec::new(), Vec::new());
        let (mut code, mut pointed) = (0, BTreeSet::new());
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::CodeSectionStart { range, .. } => code = range.start,
                Payload::DataSection(section) => {
                    let start = section.range().start;
                    for data in section {
                        let data = data?;
                        let DataKind::Active { offset_expr, .. } = &data.kind else { anyhow::bail!("a passive segment") };
                        let at = data.range.end - data.data.len() - start;
                        segments.push((constant(offset_expr)?, at as u32, data.data.len() as u32));
                    }
                }
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Linking(linking) => {
                        for subsection in linking.subsections() {
                            let Linking::SymbolTable(table) = subsection? else { continue };
                            for symbol in table {
                                symbols.push(match symbol? {
                                    SymbolInfo::Data { symbol: Some(data), .. } => {
                                        let (base, ..) = segments.get(data.index as usize).context("a symbol's segment")?;
                                        Some((base + data.offset, data.size))
                                    }
                                    _ => None,
                                });
                            }
                        }
                    }
                    KnownCustom::Reloc(relocations) => {
                        let into = if section.name() == "reloc.DATA" { &mut in_data } else { &mut in_code };
                        for entry in relocations.entries() {
                            let entry = entry?;
                            if matches!(
                                entry.ty,
                                RelocationType::MemoryAddrLeb | RelocationType::MemoryAddrSleb | RelocationType::MemoryAddrI32
                            ) {
                                into.push(entry);
                            } else if entry.ty == RelocationType::TableIndexSleb {
                                let at = code + entry.offset as usize;
                                let bytes = bytes.get(at..at + 5).context("a relocation outside of the code")?;
                                pointed.insert(wasmparser::BinaryReader::new(bytes, at).read_var_i32()? as u32);
                            } else if entry.ty == RelocationType::TableIndexI32 && section.name() == "reloc.DATA" {
                                slots.push(entry.offset);
                            }
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        let mut places: Vec<(u32, u32)> = symbols.iter().flatten().copied().filter(|(_, size)| *size > 0).collect();
        places.sort_unstable();
        places.dedup();
        // What overlaps is one thing.
        let mut objects: Vec<Object> = Vec::new();
        for (at, size) in places {
            match objects.last_mut().filter(|last| at < last.at + last.size) {
                Some(last) => last.size = last.size.max(at + size - last.at),
                None => objects.push(Object { at, size, refs: BTreeSet::new(), slots: BTreeSet::new() }),
            }
        }
        let mut linked = Linked { objects, known: BTreeMap::new(), pointed };
        for entry in in_code {
            let Some((at, _)) = symbols.get(entry.index as usize).copied().flatten() else { continue };
            let Some(object) = linked.object(at) else { continue };
            linked.known.entry((i64::from(at) + entry.addend) as u32).or_default().insert(object);
        }
        let address = |offset: u32| {
            let found = segments.iter().find(|(_, start, length)| (*start..start + length).contains(&offset));
            found.map(|(base, start, _)| base + offset - start).context("a relocation outside of all data")
        };
        for offset in slots {
            let at = address(offset)?;
            let owner = linked.object(at).context("a function's slot outside of all objects")?;
            linked.objects[owner].slots.insert(at);
        }
        for entry in in_data {
            let Some((at, _)) = symbols.get(entry.index as usize).copied().flatten() else { continue };
            let Some(target) = linked.object(at) else { continue };
            let owner = linked.object(address(entry.offset)?).context("a relocation outside of all objects")?;
            linked.objects[owner].refs.insert(target);
        }
        Ok(linked)
    }

    /// What lies at an address.
    fn object(&self, at: u32) -> Option<usize> {
        let next = self.objects.partition_point(|object| object.at <= at);
        next.checked_sub(1).filter(|index| at < self.objects[*index].at + self.objects[*index].size)
    }

    /// What a number in code may mean.
    fn meant(&self, number: u32) -> BTreeSet<usize> {
        match self.known.get(&number) {
            Some(found) => found.clone(),
            // Made by the optimizer out of two numbers, or no address at all.
            None => [self.object(number), number.checked_sub(1).and_then(|before| self.object(before))].into_iter().flatten().collect(),
        }
    }
}

/// Texts that say in which source file a panic happened; its line and column stay. Nobody who uses a package has the file, and the
/// names are longer than all else that a panic needs.
fn forget_files(module: &mut Module, linked: &Linked) -> BTreeSet<usize> {
    let is_file = |object: &Object| module.bytes(object.at, object.size).is_some_and(|bytes| bytes.ends_with(b".rs\0"));
    let mut files: BTreeSet<usize> = (0..linked.objects.len()).filter(|index| is_file(&linked.objects[*index])).collect();
    let locations: Vec<&Object> = linked.objects.iter().filter(|object| object.size == 16 && object.refs.len() == 1).collect();
    for object in &linked.objects {
        // What others point to as well is no file's name alone.
        if object.size != 16 {
            files.retain(|file| !object.refs.contains(file));
        }
    }
    for known in linked.known.values().flatten() {
        files.remove(known);
    }
    for location in locations {
        if location.refs.iter().all(|target| files.contains(target)) {
            // Its length.
            module.write(location.at + 4, &[0; 4]);
        }
    }
    files
}

/// Where the bytes of the data are that do not come with the first part: address, length, part.
pub fn place(module: &mut Module, table: &Table, plan: &Plan, linked: &Linked) -> Result<Vec<(u32, u32, usize)>> {
    let files = forget_files(module, linked);
    let (users, end) = linked.users(module, &plan.place)?;
    let mut moved: Vec<(u32, u32, usize)> = Vec::new();
    for (index, object) in linked.objects.iter().enumerate() {
        let part = if files.contains(&index) {
            NOWHERE
        } else if object.at >= end {
            FIRST
        } else {
            table.common(&users[index])
        };
        if part == FIRST {
            continue;
        }
        match moved.last_mut().filter(|(at, size, before)| *before == part && linked.padding(at + size, object.at)) {
            Some((at, size, _)) => *size = object.at + object.size - *at,
            None => moved.push((object.at, object.size, part)),
        }
    }
    Ok(moved)
}

impl Linked {
    /// The parts whose functions use each object, themselves or by way of others, and where what can be written to begins.
    fn users(&self, module: &Module, place: &[usize]) -> Result<(Vec<BTreeSet<usize>>, u32)> {
        let mut users: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.objects.len()];
        let mut open = Vec::new();
        for (index, function) in module.functions.iter().enumerate() {
            for object in function.numbers.iter().flat_map(|number| self.meant(*number)) {
                if users[object].insert(place[index]) {
                    open.push((object, place[index]));
                }
            }
        }
        // What can be written to is everybody's. Only the segment of constants is read-only, and it comes first.
        let end = module.data.iter().position(|segment| segment.name.is_some_and(|name| name.starts_with(".data")));
        let end = module.data[end.context("there is no segment .data")?].at;
        for (index, object) in self.objects.iter().enumerate() {
            if (object.at >= end || users[index].is_empty()) && users[index].insert(FIRST) && object.at >= end {
                open.push((index, FIRST));
            }
        }
        while let Some((object, part)) = open.pop() {
            for target in self.objects[object].refs.clone() {
                if users[target].insert(part) {
                    open.push((target, part));
                }
            }
        }
        Ok((users, end))
    }

    /// The parts in which functions of the table are used by way of objects: virtual methods, and drops of what is behind a pointer.
    /// With each function, in how many objects it stands.
    pub fn callers(&self, module: &Module, place: &[usize]) -> Result<BTreeMap<u32, (usize, BTreeSet<usize>)>> {
        let (users, _) = self.users(module, place)?;
        let mut callers: BTreeMap<u32, (usize, BTreeSet<usize>)> = BTreeMap::new();
        for (object, users) in self.objects.iter().zip(users) {
            for at in &object.slots {
                let slot = module.bytes(*at, 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
                if let Some(function) = slot.and_then(|slot| module.slots.get(slot as usize).copied().flatten()) {
                    let (objects, all) = callers.entry(function).or_default();
                    *objects += 1;
                    all.extend(&users);
                }
            }
        }
        Ok(callers)
    }

    /// Whether code gives this function away: then nobody knows who calls it.
    pub fn is_pointed_to(&self, module: &Module, function: u32) -> bool {
        module.slots.iter().enumerate().any(|(slot, other)| *other == Some(function) && self.pointed.contains(&(slot as u32)))
    }

    /// Nothing lies between these addresses.
    fn padding(&self, from: u32, to: u32) -> bool {
        to - from < 16 && (from..to).all(|at| self.object(at).is_none())
    }
}

/// The segments of a part: address and bytes.
pub fn segments(module: &Module, moved: &[(u32, u32, usize)], part: usize) -> Vec<(u32, Vec<u8>)> {
    let mut out: Vec<(u32, Vec<u8>)> = Vec::new();
    for segment in &module.data {
        let range = segment.at..segment.at + segment.bytes.len() as u32;
        let inside = moved.iter().filter_map(|(at, size, owner)| {
            let (from, to) = ((*at).max(range.start), (at + size).min(range.end));
            (from < to).then_some((from, to, *owner))
        });
        let bytes = |from: u32, to: u32| segment.bytes[(from - range.start) as usize..(to - range.start) as usize].to_vec();
        if part != FIRST {
            out.extend(inside.filter(|(.., owner)| *owner == part).map(|(from, to, _)| (from, bytes(from, to))));
            continue;
        }
        let mut kept = (range.start, Vec::new());
        let mut at = range.start;
        for (from, to, _) in inside {
            kept.1.extend(bytes(at, from));
            if to - from < GAP {
                kept.1.resize(kept.1.len() + (to - from) as usize, 0);
            } else {
                out.push(std::mem::replace(&mut kept, (to, Vec::new())));
            }
            at = to;
        }
        kept.1.extend(bytes(at, range.end));
        out.push(kept);
    }
    out.retain(|(_, bytes)| bytes.iter().any(|byte| *byte != 0));
    out
}
