//! Writes the parts of a module.

use crate::data::segments;
use crate::module::Module;
use crate::order;
use crate::plan::{Plan, Table, FIRST};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind, ExportSection, FunctionSection, GlobalSection,
    ImportSection, Instruction, MemArg, MemorySection, TableSection, TypeSection,
};
use wasmparser::{ExternalKind, Operator};

/// The name of the module from which parts import.
pub const FROM: &str = "_";

/// What an item of the first part is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Item {
    Memory,
    Table(u32),
    Global(u32),
    Function(u32),
}

impl Item {
    pub fn of(kind: ExternalKind, index: u32) -> Option<Item> {
        match kind {
            ExternalKind::Func => Some(Item::Function(index)),
            ExternalKind::Table => Some(Item::Table(index)),
            ExternalKind::Memory => Some(Item::Memory),
            ExternalKind::Global => Some(Item::Global(index)),
            _ => None,
        }
    }

    fn kind(self) -> (ExportKind, u32) {
        match self {
            Item::Memory => (ExportKind::Memory, 0),
            Item::Table(index) => (ExportKind::Table, index),
            Item::Global(index) => (ExportKind::Global, index),
            Item::Function(index) => (ExportKind::Func, index),
        }
    }
}

/// Short names that are not taken.
pub struct Names {
    next: usize,
    taken: BTreeSet<String>,
}

impl Names {
    pub fn new(taken: BTreeSet<String>) -> Names {
        Names { next: 0, taken }
    }

    pub fn fresh(&mut self) -> String {
        const DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        loop {
            let (mut number, mut name) = (self.next, String::new());
            loop {
                name.push(DIGITS[number % DIGITS.len()] as char);
                number /= DIGITS.len();
                if number == 0 {
                    break;
                }
                number -= 1;
            }
            self.next += 1;
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// Renumbers what a function's code names.
struct Renumber<'a> {
    module: &'a Module<'a>,
    plan: &'a Plan,
    part: usize,
    functions: BTreeMap<u32, u32>,
    globals: BTreeMap<u32, u32>,
    tables: BTreeMap<u32, u32>,
    types: BTreeMap<u32, u32>,
}

impl Reencode for Renumber<'_> {
    type Error = anyhow::Error;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<anyhow::Error>> {
        found(&self.functions, function, "function")
    }
    fn global_index(&mut self, global: u32) -> Result<u32, Error<anyhow::Error>> {
        found(&self.globals, global, "global")
    }
    fn table_index(&mut self, table: u32) -> Result<u32, Error<anyhow::Error>> {
        found(&self.tables, table, "table")
    }
    fn type_index(&mut self, ty: u32) -> Result<u32, Error<anyhow::Error>> {
        found(&self.types, ty, "type")
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: wasmparser::FunctionBody<'_>) -> Result<(), Error<anyhow::Error>> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let operator = reader.read()?;
            if let Operator::Call { function_index } = operator {
                if let Some(slot) = self.plan.gate(self.module, self.part, function_index) {
                    let ty = self.module.type_of(function_index);
                    function.instruction(&Instruction::I32Const(slot as i32));
                    function
                        .instruction(&Instruction::CallIndirect { type_index: self.type_index(ty)?, table_index: self.table_index(0)? });
                    continue;
                }
            }
            let mut instruction = self.instruction(operator)?;
            if let Some(memarg) = memarg(&mut instruction) {
                memarg.align = 0;
            }
            function.instruction(&instruction);
        }
        code.function(&function);
        Ok(())
    }
}

/// Where a load or store goes. Its alignment is a hint that engines pass over; without it instructions are more alike, and compress
/// better.
fn memarg<'a>(instruction: &'a mut Instruction) -> Option<&'a mut MemArg> {
    use Instruction::*;
    match instruction {
        I32Load(memarg) | I64Load(memarg) | F32Load(memarg) | F64Load(memarg) => Some(memarg),
        I32Load16S(memarg) | I32Load16U(memarg) | I64Load16S(memarg) | I64Load16U(memarg) => Some(memarg),
        I64Load32S(memarg) | I64Load32U(memarg) | I32Store(memarg) | I64Store(memarg) => Some(memarg),
        F32Store(memarg) | F64Store(memarg) | I32Store16(memarg) | I64Store16(memarg) | I64Store32(memarg) => Some(memarg),
        _ => None,
    }
}

fn found(map: &BTreeMap<u32, u32>, index: u32, what: &str) -> Result<u32, Error<anyhow::Error>> {
    map.get(&index).copied().ok_or_else(|| Error::UserError(anyhow::anyhow!("{what} {index} is not in this part")))
}

/// What the code of a part names, by original index.
#[derive(Default)]
struct Used {
    functions: BTreeSet<u32>,
    globals: BTreeSet<u32>,
    tables: BTreeSet<u32>,
    types: BTreeMap<u32, u32>,
}

/// Counts what is used, and gives everything its own number back.
struct Survey<'a>(&'a Module<'a>, &'a Plan, usize, Used);

impl Reencode for Survey<'_> {
    type Error = anyhow::Error;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<anyhow::Error>> {
        self.3.functions.insert(function);
        Ok(function)
    }
    fn global_index(&mut self, global: u32) -> Result<u32, Error<anyhow::Error>> {
        self.3.globals.insert(global);
        Ok(global)
    }
    fn table_index(&mut self, table: u32) -> Result<u32, Error<anyhow::Error>> {
        self.3.tables.insert(table);
        Ok(table)
    }
    fn type_index(&mut self, ty: u32) -> Result<u32, Error<anyhow::Error>> {
        *self.3.types.entry(ty).or_default() += 1;
        Ok(ty)
    }
    fn parse_function_body(&mut self, _: &mut CodeSection, body: wasmparser::FunctionBody<'_>) -> Result<(), Error<anyhow::Error>> {
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let operator = reader.read()?;
            match operator {
                Operator::Call { function_index } if self.1.gate(self.0, self.2, function_index).is_some() => {
                    self.type_index(self.0.type_of(function_index))?;
                    self.table_index(0)?;
                }
                operator => {
                    self.instruction(operator)?;
                }
            }
        }
        Ok(())
    }
}

/// One part, written.
pub struct Written {
    pub bytes: Vec<u8>,
    pub functions: usize,
    /// What JavaScript calls: its name and what it is called now.
    pub exports: Vec<(String, String)>,
}

/// Names across parts, and those that JavaScript uses.
pub struct Naming {
    /// What the first part exports, and parts import by these names.
    pub shared: BTreeMap<Item, String>,
    /// What an imported function is called now, by its old name.
    pub imports: BTreeMap<String, String>,
    /// What the memory is called for the parts of this build.
    pub build: String,
}

/// Writes a part. For the first one, `shared` says what it has to export for the others.
pub fn write(module: &Module, table: &Table, plan: &Plan, part: usize, naming: &mut Naming, names: &mut Names) -> Result<Written> {
    let imported = module.imports.len() as u32;
    let mut own: Vec<u32> =
        (0..module.functions.len()).filter(|index| plan.place[*index] == part).map(|index| index as u32 + imported).collect();
    match part {
        FIRST => own.retain(|function| !plan.copied.contains(function)),
        _ => own.extend(plan.copies(module, &own)),
    }
    own.sort_by_key(|function| module.own(*function).map_or(0, |function| function.size()));
    let bodies: Vec<&[u8]> = own.iter().map(|function| module.own(*function).map_or(&[][..], |function| function.body.as_bytes())).collect();
    own = order::alike(&bodies).into_iter().map(|index| own[index]).collect();

    let mut survey = Survey(module, plan, part, Used::default());
    for function in &own {
        let body = module.own(*function).context("own")?.body.clone();
        survey.parse_function_body(&mut CodeSection::new(), body).map_err(error)?;
        survey.type_index(module.type_of(*function)).map_err(error)?;
    }
    let mut used = survey.3;
    // Slots of the table that this part fills: what it has in it, and its gates.
    let at = |function: &u32| function.checked_sub(imported).map_or(FIRST, |index| plan.place[index as usize]);
    let mut slots: Vec<(u32, u32)> = Vec::new();
    slots.extend(
        module.slots.iter().enumerate().filter_map(|(slot, function)| function.filter(|f| at(f) == part).map(|f| (slot as u32, f))),
    );
    slots.extend(plan.gates.iter().filter(|(function, _)| at(function) == part).map(|(function, slot)| (*slot, *function)));
    slots.sort_unstable();

    let mut out = wasm_encoder::Module::new();
    let (mut imports, mut functions, mut exports) = (ImportSection::new(), FunctionSection::new(), ExportSection::new());
    let mut numbers = Renumber {
        module,
        plan,
        part,
        functions: BTreeMap::new(),
        globals: BTreeMap::new(),
        tables: BTreeMap::new(),
        types: BTreeMap::new(),
    };
    // Imports.
    let foreign: Vec<u32> = if part == FIRST {
        (0..imported).collect()
    } else {
        used.functions.iter().copied().filter(|function| !own.contains(function)).collect()
    };
    for function in &foreign {
        *used.types.entry(module.type_of(*function)).or_default() += 1;
    }
    // The most used types have the shortest numbers.
    let mut types: Vec<(u32, u32)> = used.types.iter().map(|(ty, count)| (*ty, *count)).collect();
    types.sort_by_key(|(ty, count)| (std::cmp::Reverse(*count), *ty));
    let mut type_section = TypeSection::new();
    for (index, (ty, _)) in types.iter().enumerate() {
        numbers.types.insert(*ty, index as u32);
        let ty = numbers.func_type(module.types[*ty as usize].clone()).map_err(error)?;
        type_section.ty().func_type(&ty);
    }
    let mut share = |item: Item| naming.shared.entry(item).or_insert_with(|| names.fresh()).clone();
    for (index, function) in foreign.iter().enumerate() {
        let ty = EntityType::Function(numbers.types[&module.type_of(*function)]);
        match module.imports.get(*function as usize) {
            Some(import) if part == FIRST => {
                imports.import(FROM, naming.imports.get(import.name).context("a new name")?, ty);
            }
            _ => {
                imports.import(FROM, &share(Item::Function(*function)), ty);
            }
        }
        numbers.functions.insert(*function, index as u32);
    }
    for (index, function) in own.iter().enumerate() {
        numbers.functions.insert(*function, (foreign.len() + index) as u32);
        functions.function(numbers.types[&module.type_of(*function)]);
    }
    let added = (module.slots.len() + plan.gates.len()) as u64;
    let mut tables = TableSection::new();
    let mut memories = MemorySection::new();
    let mut globals = GlobalSection::new();
    if !slots.is_empty() {
        used.tables.insert(0);
    }
    for (index, ty) in module.tables.iter().enumerate() {
        let mut ty = numbers.table_type(*ty).map_err(error)?;
        if index == 0 {
            ty.minimum = added;
            ty.maximum = Some(added);
        }
        if part == FIRST {
            numbers.tables.insert(index as u32, index as u32);
            tables.table(ty);
        } else if used.tables.contains(&(index as u32)) {
            numbers.tables.insert(index as u32, numbers.tables.len() as u32);
            imports.import(FROM, &share(Item::Table(index as u32)), ty);
        }
    }
    if let Some(memory) = module.memory {
        let ty = numbers.memory_type(memory).map_err(error)?;
        if part == FIRST {
            memories.memory(ty);
        } else {
            // By the name of the build, so that parts of different ones are never joined.
            imports.import(FROM, &naming.build, ty);
        }
    }
    for (index, global) in module.globals.iter().enumerate() {
        let ty = numbers.global_type(global.ty).map_err(error)?;
        if part == FIRST {
            numbers.globals.insert(index as u32, index as u32);
            let init = numbers.const_expr(global.init.clone()).map_err(error)?;
            globals.global(ty, &init);
        } else if used.globals.contains(&(index as u32)) {
            numbers.globals.insert(index as u32, numbers.globals.len() as u32);
            imports.import(FROM, &share(Item::Global(index as u32)), ty);
        }
    }
    // Exports: those for JavaScript under short names of their own, and what other parts need.
    let mut told = Vec::new();
    let mut done = BTreeSet::new();
    for (name, kind, index) in &module.exports {
        let Some(item) = Item::of(*kind, *index) else { continue };
        let here = match item {
            Item::Function(function) => at(&function) == part,
            _ => part == FIRST,
        };
        if !here {
            continue;
        }
        let short = naming.shared.entry(item).or_insert_with(|| names.fresh()).clone();
        told.push((name.to_string(), short));
    }
    let mut wanted: BTreeSet<Item> = naming.shared.keys().copied().collect();
    if part != FIRST {
        wanted.retain(|item| told.iter().any(|(_, short)| naming.shared[item] == *short));
    }
    for item in wanted {
        let here = match item {
            Item::Function(function) => at(&function) == part,
            _ => part == FIRST,
        };
        let (kind, index) = item.kind();
        if here && done.insert(item) {
            let index = match item {
                Item::Function(_) => numbers.functions[&index],
                _ => index,
            };
            exports.export(&naming.shared[&item], kind, index);
        }
    }
    if part == FIRST {
        exports.export(&naming.build, ExportKind::Memory, 0);
    }
    let mut elements = ElementSection::new();
    for run in slots.chunk_by(|a, b| a.0 + 1 == b.0) {
        let functions: Vec<u32> = run.iter().map(|(_, function)| numbers.functions[function]).collect();
        let table = numbers.tables[&0];
        let table = (table != 0).then_some(table);
        elements.active(table, &ConstExpr::i32_const(run[0].0 as i32), Elements::Functions(functions.into()));
    }
    let taken: BTreeSet<u32> =
        own.iter().filter_map(|function| module.own(*function)).flat_map(|function| &function.refs).copied().collect();
    if !taken.is_empty() {
        let functions: Vec<u32> = taken.iter().map(|function| numbers.functions[function]).collect();
        elements.declared(Elements::Functions(functions.into()));
    }
    let mut code = CodeSection::new();
    for function in &own {
        let body = module.own(*function).context("own")?.body.clone();
        numbers.parse_function_body(&mut code, body).map_err(error)?;
    }
    out.section(&type_section);
    out.section(&imports);
    out.section(&functions);
    if part == FIRST {
        out.section(&tables);
        out.section(&memories);
        out.section(&globals);
    }
    if !exports.is_empty() {
        out.section(&exports);
    }
    if !elements.is_empty() {
        out.section(&elements);
    }
    out.section(&code);
    let mut data = DataSection::new();
    for (at, bytes) in segments(module, &plan.data, part) {
        data.active(0, &ConstExpr::i32_const(at as i32), bytes);
    }
    if !data.is_empty() {
        out.section(&data);
    }
    let bytes = out.finish();
    wasmparser::Validator::new().validate_all(&bytes).with_context(|| format!("the part {}", table.parts[part].name))?;
    Ok(Written { bytes, functions: own.len(), exports: told })
}

fn error(error: Error<anyhow::Error>) -> anyhow::Error {
    match error {
        Error::UserError(error) => error,
        other => anyhow::anyhow!("{other}"),
    }
}
