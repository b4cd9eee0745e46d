//! The host process on its own, for the tests of this crate: the shipped binary does the same under a hidden subcommand.

fn main() -> std::process::ExitCode {
    marsh_host_server::main()
}
