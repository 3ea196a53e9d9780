//! Makes the outbox take its lock from loom.

fn main() {
    println!("cargo::rustc-cfg=loom");
}
