//! Days played side by side, on all cores. Which thread plays which changes nothing: each day has its own seed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::simulate::day::{Day, Failed};
use crate::simulate::sheet::Sheet;

enum Progress {
    Share(f64),
    Done(Box<Result<Sheet, Failed>>),
}

/// Plays the day `days` times, each with a seed of its own. `progress` is called with the share that has been played.
///
/// # Errors
/// When one of them cannot be played to its end.
pub(super) fn play(day: &Day, days: u32, seed: u64, mut progress: impl FnMut(f64)) -> Result<Vec<Sheet>, Failed> {
    let (next, seeds) = (AtomicUsize::new(0), Day::seeds(days, seed));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(seeds.len());
    let (tell, hear) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (tell, next, seeds) = (tell.clone(), &next, &seeds);
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = seeds.get(number) else { return };
                    let share = |share| {
                        // The receiver may have given up.
                        let _ = tell.send((number, Progress::Share(share)));
                    };
                    let sheet = day.play(seed.clone(), share);
                    let failed = sheet.is_err();
                    if tell.send((number, Progress::Done(Box::new(sheet)))).is_err() || failed {
                        return;
                    }
                }
            });
        }
        drop(tell);
        let (mut sheets, mut shares) = (vec![None; seeds.len()], vec![0.0; seeds.len()]);
        for (number, told) in hear {
            match told {
                Progress::Share(share) => shares[number] = share,
                Progress::Done(sheet) => {
                    shares[number] = 1.0;
                    sheets[number] = Some((*sheet)?);
                }
            }
            progress(shares.iter().sum::<f64>() / f64::from(days));
        }
        Ok(sheets.into_iter().flatten().collect())
    })
}
