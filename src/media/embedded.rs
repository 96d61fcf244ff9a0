//! The recordings that hotline brings along. Written by prompts/make.sh; do not edit.

/// Name and G.722 codes.
pub(super) static PROMPTS: &[(&str, &[u8])] = &[];
