//! What is expected of each sequence, to be checked with its newest token.

use super::{Drafter, Running, Scheduler};
use crate::generate::DRAFT;
use crate::generate::draft::Draft;
use crate::generate::draft_model::Asked;
use crate::generate::pace::FEW;

impl Scheduler {
    /// Finds out what is expected after the newest tokens of those that generate: what their callers expect,
    /// and where few generate and no prompts are computed, what came before or the draft model says.
    pub(super) fn draft(&mut self) {
        let sequences = self.running.len();
        let is_decoding = |running: &Running| running.sequence.is_decoding();
        let is_calm = sequences <= FEW && self.running.iter().all(is_decoding);
        let pace = self.pace.as_ref().filter(|_| is_calm);
        let looked_up = pace.filter(|_| self.looks_up);
        let pays = looked_up.map(|pace| move |share| pace.pays(sequences, share, 0.0));
        for running in self.running.iter_mut().filter(|running| is_decoding(running)) {
            running.draft = running.sequence.draft(DRAFT, pays);
        }
        if is_calm {
            self.ask_draft_model();
        }
    }

    /// Has the draft model say what follows where nothing else does. One that fails is not asked again.
    fn ask_draft_model(&mut self) {
        let Scheduler { running, pace: Some(pace), draft_model: Some(model), .. } = self else { return };
        let sequences = running.len();
        let (wanting, asked): (Vec<usize>, Vec<Asked<'_>>) = running
            .iter()
            .enumerate()
            .filter(|(_, running)| running.draft.tokens.is_empty())
            .map(|(index, Running { id, sequence, .. })| {
                (index, Asked { sequence: *id, tokens: sequence.tokens(), limit: sequence.most_drafted() })
            })
            .unzip();
        let is_running = |id| running.iter().any(|running| running.id == id);
        match model.draft(&asked, is_running, |share, cost| pace.pays(sequences, share, cost)) {
            Ok(drafts) => {
                for (index, tokens) in wanting.into_iter().zip(drafts) {
                    running[index].draft = Draft { tokens, by: Drafter::Model };
                }
            }
            Err(error) => {
                tracing::error!(target: "zerohop", %error, "the draft model failed, and is not used any more");
                self.draft_model = None;
            }
        }
    }

    /// Lets the draft model know how many of its tokens came true.
    pub(super) fn settle_drafts(&mut self) {
        let Some(model) = &mut self.draft_model else { return };
        let parts = self.running.iter().filter_map(|running| running.part.as_ref());
        for part in parts.filter(|part| part.draft.by == Drafter::Model) {
            model.settle(part.draft.tokens.len(), part.accepted);
        }
    }
}
