//! Injects failing system calls with strace.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use testkit::{ServerProcess, TempDir, wait_for_exit, wait_until};

/// A strace that is attached to a running program.
pub struct Strace {
    child: Child,
    folder: TempDir,
}

impl Strace {
    /// Attaches to all threads, also to future ones. An injection is written as for strace, for
    /// example `accept4:error=EMFILE:when=1+2`. strace counts the calls of each thread separately.
    pub fn of(program: &ServerProcess, injections: &[&str]) -> Self {
        Self::attach(&["-f", "-p", &program.child.id().to_string()], injections)
    }

    /// Attaches only to some threads.
    pub fn of_threads(threads: &[u32], injections: &[&str]) -> Self {
        let threads: Vec<_> = threads.iter().map(|thread| format!("-p{thread}")).collect();
        let threads: Vec<_> = threads.iter().map(String::as_str).collect();
        Self::attach(&threads, injections)
    }

    fn attach(target: &[&str], injections: &[&str]) -> Self {
        let folder = TempDir::new();
        let calls: Vec<_> = injections.iter().map(|it| it.split(':').next().unwrap()).collect();
        let mut command = Command::new("strace");
        command.args(["-e", &format!("trace={}", calls.join(","))]);
        command.args(injections.iter().flat_map(|it| ["-e".into(), format!("inject={it}")]));
        command.args(["-e", "signal=none", "-o"]).arg(folder.file("calls")).args(target);
        let messages = File::create(folder.file("messages")).unwrap();
        let mut child = command.stderr(messages).spawn().expect("strace is installed");
        // strace reports each thread of `-p` when it has stopped it for the first time.
        let expected = target.iter().filter(|it| it.starts_with("-p")).count();
        wait_until("strace is attached", || {
            let messages = fs::read_to_string(folder.file("messages")).unwrap();
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{messages}strace may not attach: be root, or write 0 to \
                 /proc/sys/kernel/yama/ptrace_scope"
            );
            messages.matches(" attached").count() >= expected
        });
        Self { child, folder }
    }

    /// Detaches. Returns how many calls failed.
    pub fn detach(mut self) -> usize {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        wait_for_exit(&mut self.child);
        let calls = fs::read(self.folder.file("calls")).unwrap();
        String::from_utf8_lossy(&calls).matches("(INJECTED)").count()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the threads of a program whose names have this prefix, the oldest first.
pub fn threads_of(program: &ServerProcess, name: &str) -> Vec<u32> {
    let tasks = PathBuf::from(format!("/proc/{}/task", program.child.id()));
    let mut threads: Vec<u32> = fs::read_dir(&tasks)
        .unwrap()
        .map(|task| task.unwrap().file_name().into_string().unwrap())
        .filter(|task| {
            let comm = fs::read_to_string(tasks.join(task).join("comm"));
            comm.is_ok_and(|comm| comm.starts_with(name))
        })
        .map(|task| task.parse().unwrap())
        .collect();
    threads.sort_unstable();
    threads
}
