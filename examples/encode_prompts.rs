//! `encode_prompts FROM TO LIST`: encodes the recordings of a directory (16 kHz WAV) as G.722 into another, and writes the source file that
//! embeds them. Called by prompts/make.sh.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hotline::base::Codec;
use hotline::media::Library;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [from, to, list] = &args[..] else { return Err("encode_prompts FROM TO LIST".into()) };
    let mut library = Library::default();
    library.load(from)?;
    let mut table = String::from(
        "//! The recordings that hotline brings along. Written by prompts/make.sh; do not edit.\n\n\
         /// Name and G.722 codes.\n#[rustfmt::skip]\npub(super) static PROMPTS: &[(&str, &[u8])] = &[\n",
    );
    for name in library.names() {
        let clip = library.get(name).ok_or("it is there")?;
        let file = to.join(name).with_extension("g722");
        fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
        fs::write(file, clip.payload(Codec::G722).ok_or("it has that form")?)?;
        writeln!(table, "    (\"{name}\", include_bytes!(\"../../prompts/{name}.g722\")),")?;
    }
    table.push_str("];\n");
    fs::write(list, table)?;
    Ok(())
}
