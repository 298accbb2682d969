//! A module as far as cutting it needs it: its functions, who calls whom, and what else they touch.

use anyhow::{bail, Context, Result};
use std::collections::{BTreeSet, HashMap};
use wasmparser::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncType, FunctionBody, GlobalType, KnownCustom, MemoryType, Name,
    Operator, Parser, Payload, TableType, TypeRef,
};

/// A function of the module itself.
pub struct Function<'a> {
    pub ty: u32,
    pub body: FunctionBody<'a>,
    pub name: String,
    /// Functions it calls by index, imported ones among them.
    pub calls: BTreeSet<u32>,
    /// Functions whose reference it takes.
    pub refs: BTreeSet<u32>,
    /// Numbers in it that could be addresses.
    pub numbers: BTreeSet<u32>,
}

impl Function<'_> {
    /// Bytes of its body.
    pub fn size(&self) -> usize {
        self.body.range().len()
    }
}

pub struct Import<'a> {
    pub name: &'a str,
    pub ty: u32,
}

/// Bytes that lie in the memory from the beginning.
pub struct Segment<'a> {
    pub at: u32,
    pub bytes: Vec<u8>,
    pub name: Option<&'a str>,
}

pub struct Global<'a> {
    pub ty: GlobalType,
    pub init: ConstExpr<'a>,
}

/// Everything that is imported is a function; the memory, the globals and the tables are the module's own.
#[derive(Default)]
pub struct Module<'a> {
    pub types: Vec<FuncType>,
    pub imports: Vec<Import<'a>>,
    pub functions: Vec<Function<'a>>,
    pub tables: Vec<TableType>,
    pub memory: Option<MemoryType>,
    pub globals: Vec<Global<'a>>,
    pub exports: Vec<(&'a str, ExternalKind, u32)>,
    /// What stands in the table of functions, by slot.
    pub slots: Vec<Option<u32>>,
    pub data: Vec<Segment<'a>>,
}

impl<'a> Module<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Module<'a>> {
        let mut module = Module::default();
        let mut kinds = Vec::new();
        let mut bodies = Vec::new();
        let mut names: HashMap<u32, &str> = HashMap::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        module.types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
                        let TypeRef::Func(ty) = import.ty else { bail!("the import {} is not a function", import.name) };
                        module.imports.push(Import { name: import.name, ty });
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        kinds.push(ty?);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        module.tables.push(table?.ty);
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        module.memory = Some(memory?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        let global = global?;
                        module.globals.push(Global { ty: global.ty, init: global.init_expr });
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        module.exports.push((export.name, export.kind, export.index));
                    }
                }
                Payload::StartSection { .. } => bail!("a start function: it would run again with every part"),
                Payload::ElementSection(section) => {
                    for element in section {
                        module.element(element?)?;
                    }
                }
                Payload::DataSection(section) => {
                    for data in section {
                        let data = data?;
                        let DataKind::Active { memory_index: 0, offset_expr } = &data.kind else { bail!("a passive segment") };
                        module.data.push(Segment { at: constant(offset_expr)?, bytes: data.data.to_vec(), name: None });
                    }
                }
                Payload::CodeSectionEntry(body) => bodies.push(body),
                Payload::CustomSection(section) => {
                    let KnownCustom::Name(section) = section.as_known() else { continue };
                    for name in section {
                        match name? {
                            Name::Function(map) => {
                                for naming in map {
                                    let naming = naming?;
                                    names.insert(naming.index, naming.name);
                                }
                            }
                            Name::Data(map) => {
                                for naming in map {
                                    let naming = naming?;
                                    module.data.get_mut(naming.index as usize).context("a segment's name")?.name = Some(naming.name);
                                }
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if names.is_empty() {
            bail!("the module has no names: was it optimized without -g?");
        }
        let imported = module.imports.len() as u32;
        let name = |index: u32| names.get(&index).map(|name| plain(name)).unwrap_or_default();
        for (index, (ty, body)) in kinds.into_iter().zip(bodies).enumerate() {
            let (calls, refs, numbers) = touched(&body)?;
            module.functions.push(Function { ty, body, name: name(imported + index as u32), calls, refs, numbers });
        }
        Ok(module)
    }

    fn element(&mut self, element: wasmparser::Element<'a>) -> Result<()> {
        let ElementItems::Functions(items) = element.items else { bail!("an element segment of expressions") };
        let offset = match element.kind {
            ElementKind::Active { table_index: None | Some(0), offset_expr } => constant(&offset_expr)? as usize,
            // Only says that references to these are taken.
            ElementKind::Declared => return Ok(()),
            _ => bail!("an element segment that is neither active in the first table nor declared"),
        };
        for (index, function) in items.into_iter().enumerate() {
            let slot = offset + index;
            if self.slots.len() <= slot {
                self.slots.resize(slot + 1, None);
            }
            self.slots[slot] = Some(function?);
        }
        Ok(())
    }

    /// Bytes of the data.
    pub fn bytes(&self, at: u32, size: u32) -> Option<&[u8]> {
        self.data.iter().find_map(|segment| segment.bytes.get(at.checked_sub(segment.at)? as usize..)?.get(..size as usize))
    }

    /// Write over bytes of the data.
    pub fn write(&mut self, at: u32, bytes: &[u8]) {
        for segment in &mut self.data {
            let place = at.checked_sub(segment.at).and_then(|from| segment.bytes.get_mut(from as usize..)?.get_mut(..bytes.len()));
            if let Some(place) = place {
                place.copy_from_slice(bytes);
            }
        }
    }

    /// The type of a function.
    pub fn type_of(&self, function: u32) -> u32 {
        match self.imports.get(function as usize) {
            Some(import) => import.ty,
            None => self.functions[function as usize - self.imports.len()].ty,
        }
    }

    /// The module's own function of this index; `None` for an imported one.
    pub fn own(&self, function: u32) -> Option<&Function<'a>> {
        self.functions.get((function as usize).checked_sub(self.imports.len())?)
    }
}

/// A name without the hash that the compiler puts behind it, and without those of crates.
fn plain(name: &str) -> String {
    let name = match name.rfind("::h") {
        Some(at) if name.len() == at + 19 && name[at + 3..].bytes().all(|byte| byte.is_ascii_hexdigit()) => &name[..at],
        _ => name,
    };
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('[') {
        let hash = rest[at + 1..].find(']').map(|end| &rest[at + 1..at + 1 + end]);
        match hash {
            Some(hash) if (12..=16).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                out.push_str(&rest[..at]);
                rest = &rest[at + hash.len() + 2..];
            }
            _ => {
                out.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The number that a constant expression gives.
pub fn constant(expr: &ConstExpr) -> Result<u32> {
    match expr.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value as u32),
        other => bail!("{other:?} instead of a number"),
    }
}

fn touched(body: &FunctionBody) -> Result<(BTreeSet<u32>, BTreeSet<u32>, BTreeSet<u32>)> {
    let (mut calls, mut refs, mut numbers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut reader = body.get_operators_reader().context("a function's body")?;
    while !reader.eof() {
        let operator = reader.read()?;
        numbers.extend(offset(&operator));
        match operator {
            Operator::I32Const { value } => {
                numbers.insert(value as u32);
            }
            Operator::Call { function_index } => {
                calls.insert(function_index);
            }
            Operator::RefFunc { function_index } => {
                refs.insert(function_index);
            }
            Operator::ReturnCall { .. } => bail!("a tail call"),
            Operator::TableSet { table: 0 }
            | Operator::TableGrow { table: 0 }
            | Operator::TableInit { .. }
            | Operator::MemoryInit { .. } => {
                bail!("the table of functions, or data, is changed by code")
            }
            _ => {}
        }
    }
    Ok((calls, refs, numbers))
}

/// The offset of a load or store.
fn offset(operator: &Operator) -> Option<u32> {
    use Operator::*;
    let memarg = match operator {
        I32Load { memarg } | I64Load { memarg } | F32Load { memarg } | F64Load { memarg } => memarg,
        I32Load8S { memarg } | I32Load8U { memarg } | I32Load16S { memarg } | I32Load16U { memarg } => memarg,
        I64Load8S { memarg } | I64Load8U { memarg } | I64Load16S { memarg } | I64Load16U { memarg } => memarg,
        I64Load32S { memarg } | I64Load32U { memarg } | I32Store { memarg } | I64Store { memarg } => memarg,
        F32Store { memarg } | F64Store { memarg } | I32Store8 { memarg } | I32Store16 { memarg } => memarg,
        I64Store8 { memarg } | I64Store16 { memarg } | I64Store32 { memarg } => memarg,
        _ => return None,
    };
    u32::try_from(memarg.offset).ok()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn names_lose_their_hashes() {
        assert_eq!(plain("a::b::{{closure}}::h0123456789abcdef"), "a::b::{{closure}}");
        assert_eq!(plain("<core[c5930c85a12de822]::fmt::Formatter>::pad"), "<core::fmt::Formatter>::pad");
        assert_eq!(plain("a::hello"), "a::hello");
        assert_eq!(plain("<[T]>::x"), "<[T]>::x");
    }
}
