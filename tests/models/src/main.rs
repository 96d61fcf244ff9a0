//! Models of the matcher. The files under test are hotline's own, taken by path; their atomics are loom's or shuttle's, and may stop a
//! thread after any of its writes ([`modelled`]).
//!
//! With `--cfg hotline_loom`: the claim, in every order of a few threads up to three pre-emptions, with C11's memory model as loom knows
//! it, over a plain index. An argument runs only what has it in its name; `--seconds N` bounds each model, `--mutants` takes steps out.
//! With `--cfg hotline_shuttle`: the whole matcher with its real index, in many random orders.
//! With `--cfg hotline_parked`: threads of the system, one of them parked after each of its writes, while the others match.
#![cfg(any(hotline_loom, hotline_shuttle, hotline_parked))]
#![allow(
    dead_code,
    unused_imports,
    dropping_copy_types,
    reason = "hotline's rooms are taken whole; a move's answer is often of no use"
)]

#[path = "../../../src/acd/mod.rs"]
mod acd;
#[path = "../../../src/base/mod.rs"]
mod base;

#[cfg(hotline_shuttle)]
mod agent_slots;
#[cfg(hotline_loom)]
mod claim;
#[cfg(hotline_shuttle)]
mod directory_versions;
#[cfg(hotline_shuttle)]
mod joints;
#[cfg(hotline_shuttle)]
mod lenders;
#[cfg(hotline_loom)]
mod mail;
mod modelled;
#[cfg(hotline_parked)]
mod parked;
mod people;
#[cfg(hotline_loom)]
mod plain;
#[cfg(hotline_shuttle)]
mod streets;
#[cfg(hotline_loom)]
mod town;

#[cfg(hotline_loom)]
fn main() -> std::process::ExitCode {
    claim::main()
}

#[cfg(hotline_shuttle)]
fn main() -> std::process::ExitCode {
    streets::main()
}

#[cfg(hotline_parked)]
fn main() -> std::process::ExitCode {
    parked::main()
}
