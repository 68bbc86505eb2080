// SPDX-License-Identifier: MIT
//! The same work by Rust's tempfile, when it is asked: see peers.h.
use std::fs::OpenOptions;
use std::io::{self, BufRead, Read, Result, Seek, SeekFrom, Write};
use std::time::Instant;

const CONTENT: [u8; 100] = [0; 100];
const SPOOLED: usize = 4096;

fn unnamed(directory: &str, count: u64) -> Result<()> {
    for _ in 0..count {
        tempfile::tempfile_in(directory)?.write_all(&CONTENT)?;
    }
    Ok(())
}

fn named(directory: &str, count: u64) -> Result<()> {
    for _ in 0..count {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(&CONTENT)?;
        file.close()?;
    }
    Ok(())
}

fn spooled(_: &str, count: u64) -> Result<()> {
    let mut bytes = [0; SPOOLED];
    for _ in 0..count {
        let mut file = tempfile::spooled_tempfile(SPOOLED);
        file.write_all(&bytes)?;
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut bytes)?;
    }
    Ok(())
}

fn directory_of_few(directory: &str, count: u64) -> Result<()> {
    for _ in 0..count {
        let temporary = tempfile::tempdir_in(directory)?;
        for i in 0..10 {
            let path = temporary.path().join(format!("file-{i}"));
            OpenOptions::new().write(true).create_new(true).open(path)?;
        }
        temporary.close()?;
    }
    Ok(())
}

type Work = fn(argument: &str, count: u64) -> Result<()>;
const WORKS: [(&str, Work); 4] =
    [("unnamed", unnamed), ("named", named), ("spooled", spooled), ("directory", directory_of_few)];

fn processor_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn answer(question: &str) -> Result<()> {
    let words: Vec<&str> = question.split_whitespace().collect();
    let work = WORKS.iter().find(|work| work.0 == words[0]).expect("a work that it knows").1;
    let count: u64 = words[2].parse().expect("a count");
    let (before, start) = (processor_ns(), Instant::now());
    work(words[1], count)?;
    let (elapsed, processor) = (start.elapsed().as_nanos() as f64, processor_ns() - before);
    println!("{} {}", processor / count as f64, elapsed / count as f64);
    Ok(())
}

fn main() -> Result<()> {
    println!(" {} ", WORKS.map(|work| work.0).join(" "));
    io::stdin().lock().lines().try_for_each(|line| answer(&line?))
}
