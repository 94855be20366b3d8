//! Which texts are computed together.

use super::Job;
use crate::backend::Token;

/// Tokens of one batch, unless a single text has more. A larger batch gains little: products are as fast
/// with some dozens of columns as they get, and where llama.cpp computes attention, every token is compared
/// with all others of its batch, other texts' too, before those are masked out.
pub(crate) const BATCH: usize = 512;

/// Texts of one batch at most.
pub(super) const SEQUENCES: usize = 64;

/// A text to compute, and whose it is.
#[derive(Debug)]
pub(super) struct Text {
    /// The job's place in the queue.
    pub(super) job: usize,
    /// The text's place among the job's vectors.
    pub(super) number: usize,
    pub(super) tokens: Vec<Token>,
}

/// Takes the texts of the next batch out of the jobs: one of each job in turn, so that a small job is
/// not held up by a large one. Not empty as long as a job has a text left.
pub(super) fn take_batch(jobs: &mut [Job]) -> Vec<Text> {
    let mut batch = Vec::new();
    let mut room = BATCH;
    loop {
        let before = batch.len();
        for (index, job) in jobs.iter_mut().enumerate() {
            let fits = |tokens: usize| tokens <= room || batch.is_empty();
            if batch.len() < SEQUENCES && job.inputs.last().is_some_and(|(_, tokens)| fits(tokens.len())) {
                let Some((number, tokens)) = job.inputs.pop() else { continue };
                room = room.saturating_sub(tokens.len());
                batch.push(Text { job: index, number, tokens });
            }
        }
        if batch.len() == before {
            return batch;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;
    use crate::promise::promise;

    fn job(lengths: &[usize]) -> Job {
        let inputs: Vec<_> = lengths.iter().map(|&length| vec![0; length]).enumerate().collect();
        Job {
            vectors: vec![Vec::new(); inputs.len()],
            missing: inputs.len(),
            inputs,
            promise: promise().0,
            call: None,
            place: Places::new(1).take().unwrap(),
        }
    }

    fn lengths(batch: &[Text]) -> Vec<(usize, usize)> {
        batch.iter().map(|text| (text.job, text.tokens.len())).collect()
    }

    #[test]
    fn jobs_take_turns_within_a_batch() {
        let mut jobs = [job(&[100, 200, 300]), job(&[50])];
        assert_eq!(lengths(&take_batch(&mut jobs)), [(0, 300), (1, 50)]);
        assert_eq!(lengths(&take_batch(&mut jobs)), [(0, 200), (0, 100)]);
        assert!(take_batch(&mut jobs).is_empty());
    }

    #[test]
    fn a_long_text_is_a_batch_of_its_own() {
        let mut jobs = [job(&[10, BATCH + 1]), job(&[BATCH])];
        assert_eq!(lengths(&take_batch(&mut jobs)), [(0, BATCH + 1)]);
        assert_eq!(lengths(&take_batch(&mut jobs)), [(0, 10)]);
        assert_eq!(lengths(&take_batch(&mut jobs)), [(1, BATCH)]);
    }

    #[test]
    fn a_batch_has_so_many_texts_at_most() {
        let mut jobs = [job(&[1; 100])];
        assert_eq!(take_batch(&mut jobs).len(), SEQUENCES);
        assert_eq!(take_batch(&mut jobs).len(), 100 - SEQUENCES);
    }
}
