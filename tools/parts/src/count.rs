//! The module with a counter behind every branch, to learn what of it a use of the package runs. The counters lie in a memory of
//! their own, one byte each: it has been there, or it has not.

use anyhow::Result;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, ExportKind, ExportSection, Function, Instruction, MemArg, MemorySection, MemoryType, Module};
use wasmparser::{ExportSectionReader, FunctionBody, MemorySectionReader, Operator, Parser};

/// What the memory with the counters is called outside.
const COUNTS: &str = "counts";

/// How many counters there can be, in pages of 64 KiB.
const PAGES: u64 = 16;

/// A run of instructions that are reached together.
pub struct Stretch {
    /// The index of its function among the module's own.
    pub function: u32,
    /// Bytes of code.
    pub size: usize,
}

/// The module with counters, and what each of them counts.
pub fn counting(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Stretch>)> {
    let (mut module, mut counter) = (Module::new(), Counter { functions: 0, stretches: Vec::new() });
    counter.parse_core_module(&mut module, Parser::new(0), bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok((module.finish(), counter.stretches))
}

struct Counter {
    functions: u32,
    stretches: Vec<Stretch>,
}

impl Reencode for Counter {
    type Error = anyhow::Error;

    fn parse_memory_section(&mut self, memories: &mut MemorySection, section: MemorySectionReader<'_>) -> Result<(), Error<anyhow::Error>> {
        for memory in section {
            memories.memory(self.memory_type(memory?)?);
        }
        memories.memory(MemoryType { minimum: PAGES, maximum: None, memory64: false, shared: false, page_size_log2: None });
        Ok(())
    }

    fn parse_export_section(&mut self, exports: &mut ExportSection, section: ExportSectionReader<'_>) -> Result<(), Error<anyhow::Error>> {
        for export in section {
            self.parse_export(exports, export?)?;
        }
        exports.export(COUNTS, ExportKind::Memory, 1);
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error<anyhow::Error>> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut reader = body.get_operators_reader()?;
        self.count(&mut function);
        while !reader.eof() {
            let at = reader.original_position();
            let operator = reader.read()?;
            if let Some(stretch) = self.stretches.last_mut() {
                stretch.size += reader.original_position() - at;
            }
            // Behind what can be jumped to, and what may not go on.
            let parts = matches!(
                operator,
                Operator::Loop { .. } | Operator::If { .. } | Operator::Else | Operator::End | Operator::BrIf { .. }
            );
            function.instruction(&self.instruction(operator)?);
            if parts && !reader.eof() {
                self.count(&mut function);
            }
        }
        self.functions += 1;
        code.function(&function);
        Ok(())
    }
}

impl Counter {
    fn count(&mut self, function: &mut Function) {
        let counter = self.stretches.len() as u64;
        self.stretches.push(Stretch { function: self.functions, size: 0 });
        function.instruction(&Instruction::I32Const(0));
        function.instruction(&Instruction::I32Const(1));
        function.instruction(&Instruction::I32Store8(MemArg { offset: counter, align: 0, memory_index: 1 }));
    }
}
