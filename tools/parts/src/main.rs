//! Cuts a module into the part that is loaded first and parts that are instantiated later into the same memory and table.
//!
//! ```text
//! parts TABLE MODULE LINKED OUT   writes OUT/NAME.wasm for every part and OUT/parts.json with the names that JavaScript uses;
//!                                 LINKED is the module as the linker made it, with its relocations
//! parts TABLE MODULE OUT          the same, with all data in the first part
//! parts TABLE MODULE              prints what would be where: function by function
//! parts --count TABLE MODULE LINKED OUT
//!                                 writes the whole module with counters to OUT, and prints what each counts: part, bytes, function
//! ```

mod count;
mod data;
mod emit;
mod module;
mod order;
mod plan;

use anyhow::{Context, Result};
use data::Linked;
use emit::{Item, Names, Naming};
use module::Module;
use plan::{Plan, Table, FIRST};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let (counts, given) = match given.split_first() {
        Some((first, rest)) if first == "--count" => (true, rest),
        _ => (false, given.as_slice()),
    };
    let [table, module, rest @ ..] = given else { anyhow::bail!("parts [--count] TABLE MODULE [LINKED] [OUT]") };
    let table = Table::read(&fs::read_to_string(table).with_context(|| table.clone())?)?;
    let bytes = fs::read(module).with_context(|| module.clone())?;
    let mut module = Module::read(&bytes)?;
    match rest {
        [linked, out] if counts => {
            let linked = Linked::read(&fs::read(linked).with_context(|| linked.clone())?)?;
            let plan = Plan::new(&module, &table, Some(&linked))?;
            let (counting, stretches) = count::counting(&bytes)?;
            fs::write(out, counting)?;
            for stretch in stretches {
                let at = stretch.function as usize;
                println!("{}\t{}\t{}\t{at}", table.parts[plan.place[at]].name, stretch.size, module.functions[at].name);
            }
            Ok(())
        }
        [linked, out] => {
            let linked = Linked::read(&fs::read(linked).with_context(|| linked.clone())?)?;
            let mut plan = Plan::new(&module, &table, Some(&linked))?;
            plan.data = data::place(&mut module, &table, &plan, &linked)?;
            cut(&bytes, &module, &table, &plan, Path::new(out))
        }
        [out] => cut(&bytes, &module, &table, &Plan::new(&module, &table, None)?, Path::new(out)),
        _ => {
            let plan = Plan::new(&module, &table, None)?;
            for (index, function) in module.functions.iter().enumerate() {
                println!("{}\t{}\t{}", table.parts[plan.place[index]].name, function.size(), function.name);
            }
            Ok(())
        }
    }
}

/// A name that no other build has (FNV-1a).
fn build(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}

fn cut(bytes: &[u8], module: &Module, table: &Table, plan: &Plan, out: &Path) -> Result<()> {
    let mut names = Names::new(BTreeSet::new());
    let mut naming = Naming { shared: BTreeMap::new(), imports: BTreeMap::new(), build: build(bytes) };
    for import in &module.imports {
        naming.imports.insert(import.name.into(), names.fresh());
    }
    names = Names::new(BTreeSet::from(["memory".into()]));
    naming.shared.insert(Item::Memory, "memory".into());
    // The first part comes last: only then is it known what the others want of it.
    let mut written = Vec::new();
    for part in (0..table.parts.len()).rev() {
        written.push((part, emit::write(module, table, plan, part, &mut naming, &mut names)?));
    }
    written.reverse();
    let mut json = String::from("{\n  \"imports\": {");
    let list = |pairs: &mut dyn Iterator<Item = (&String, &String)>| {
        pairs.map(|(old, new)| format!("{old:?}: {new:?}")).collect::<Vec<_>>().join(", ")
    };
    json.push_str(&list(&mut naming.imports.iter()));
    json.push_str("},\n  \"parts\": [");
    for (part, result) in &written {
        let described = &table.parts[*part];
        let needs: Vec<&str> = described.needs.iter().map(|needed| table.parts[*needed].name.as_str()).collect();
        let exports = list(&mut result.exports.iter().map(|(old, new)| (old, new)));
        let comma = if *part == FIRST { "" } else { "," };
        write!(json, "{comma}\n    {{ \"name\": {:?}, \"needs\": {needs:?}, \"exports\": {{{exports}}} }}", described.name)?;
        fs::write(out.join(format!("{}.wasm", described.name)), &result.bytes)?;
        let gates = plan.gates.keys().filter(|gate| plan.place[**gate as usize - module.imports.len()] == *part).count();
        let data: usize = data::segments(module, &plan.data, *part).iter().map(|(_, bytes)| bytes.len()).sum();
        println!(
            "{:<12}{:>5} functions{:>9} bytes, {:>6} of data{:>5} gates",
            described.name,
            result.functions,
            result.bytes.len(),
            data,
            gates
        );
    }
    json.push_str("\n  ]\n}\n");
    fs::write(out.join("parts.json"), json)?;
    Ok(())
}
