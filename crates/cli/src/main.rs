//! The binary. Everything is in the library beside it, so that tools can parse command lines as the binary does.

fn main() -> std::process::ExitCode {
    marsh_cli::main()
}
