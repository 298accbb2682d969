// How far the JSON Schema engine goes.

/** Schemas inside each other while a message is checked, references included; also levels of a definition. Below where a stack ends (1500 in Node 20). */
export const MAX_DEPTH = 1000;
/** Schemas applied to one message, and how many more for each of its bytes: beyond it a schema is built to take for ever. */
export const MAX_WORK = 2_000_000;
export const MAX_WORK_A_BYTE = 500;
