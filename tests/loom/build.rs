//! Sets `cfg(loom)`, so that the outbox uses the lock of loom.

fn main() {
    println!("cargo::rustc-cfg=loom");
}
