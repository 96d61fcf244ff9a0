//! The engine against scripted parties: whole calls through real messages, under a virtual clock.

mod calls;
mod house;
