//! Planning the rounds.

use std::collections::HashMap;

use automerge::{Automerge, ChangeHash};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::footing::{Footing, Sorted, Stop};
use super::{Claim, Fate, Ground, Round, Untaken};
use crate::document::at::At;
use crate::document::table::batch::{Mark, Planning};
use crate::document::table::sight::{Spot, Touch};
use crate::document::table::{Outcome, Refusal, Refused, RowId, Stamp, TableEdit};

/// Plans the changes in their order, each whole or not at all.
pub(super) fn plan(
    ground: Ground<'_>,
    claims: &[Claim<'_>],
    versions: &[Vec<ChangeHash>],
    sorted: Vec<Sorted>,
    stamp: &Stamp,
    rng: &mut impl Rng,
) -> (Vec<Round>, Vec<Fate>) {
    let (document, index) = (ground.document, ground.index);
    let earlier: Vec<_> = versions.iter().map(|version| At::new(document, version)).collect();
    let mut random = || SmallRng::from_rng(rng);
    let mut planner = Planner {
        then: earlier
            .iter()
            .map(|at| Planning::then(at, index, stamp, random()))
            .collect(),
        now: Planning::now(document, index, stamp, random()),
        dropped: HashMap::new(),
    };
    let fates = claims.iter().zip(sorted).map(|(claim, sorted)| match sorted {
        Ok(footings) => planner.take(claim.edits, &footings),
        Err(Stop::Later) => Fate::Later,
        Err(Stop::Not(why)) => Fate::Not(why),
    });
    let fates = fates.collect();
    let Planner { then, now, .. } = planner;
    let then = then.into_iter().zip(versions).map(|(planning, version)| Round {
        at: Some(version.clone()),
        plan: planning.finish(),
    });
    let now = Round {
        at: None,
        plan: now.finish(),
    };
    (then.chain([now]).collect(), fates)
}

struct Planner<'p> {
    then: Vec<Planning<'p, At<'p, Automerge>, SmallRng>>,
    now: Planning<'p, Automerge, SmallRng>,
    /// What changes touch that were refused: others were sorted as if they were there.
    dropped: HashMap<RowId, Vec<Spot>>,
}

impl Planner<'_> {
    fn take(&mut self, edits: &[TableEdit], footings: &[Footing]) -> Fate {
        let touches = || edits.iter().filter_map(Touch::all).flatten().map(|touch| touch.spot);
        if !self.dropped.is_empty() && touches().any(|spot| self.is_dropped(&spot)) {
            self.drop(touches());
            return Fate::Later;
        }
        match self.plan(edits, footings) {
            Ok(outcomes) => Fate::Taken {
                outcomes,
                rounds: footings.iter().map(|footing| self.round(*footing)).collect(),
            },
            Err(refused) => {
                self.drop(touches());
                Fate::Not(Untaken::Refused(refused))
            }
        }
    }

    fn plan(&mut self, edits: &[TableEdit], footings: &[Footing]) -> Result<Vec<Outcome>, Refused> {
        let mut marks: Vec<(Footing, Mark)> = Vec::new();
        let mut outcomes = Vec::with_capacity(edits.len());
        for (number, (edit, footing)) in edits.iter().zip(footings).enumerate() {
            if !marks.iter().any(|(marked, _)| marked == footing) {
                let mark = match footing {
                    Footing::Now => self.now.mark(),
                    Footing::Then(version) => self.then[*version].mark(),
                };
                marks.push((*footing, mark));
            }
            let planned = match footing {
                Footing::Now => self.now.plan(edit),
                Footing::Then(version) => self.then[*version].plan(edit),
            };
            match planned {
                Ok(outcome) => outcomes.push(outcome),
                Err(why) => {
                    self.back_to(marks);
                    return Err(refused(number, why));
                }
            }
        }
        Ok(outcomes)
    }

    fn back_to(&mut self, marks: Vec<(Footing, Mark)>) {
        for (footing, mark) in marks {
            match footing {
                Footing::Now => self.now.back_to(mark),
                Footing::Then(version) => self.then[version].back_to(mark),
            }
        }
    }

    /// Where the round of a footing is listed.
    fn round(&self, footing: Footing) -> usize {
        match footing {
            Footing::Now => self.then.len(),
            Footing::Then(version) => version,
        }
    }

    fn is_dropped(&self, spot: &Spot) -> bool {
        let dropped = self.dropped.get(spot.row()).into_iter().flatten();
        dropped.into_iter().any(|other| other.overlaps(spot))
    }

    fn drop(&mut self, spots: impl Iterator<Item = Spot>) {
        for spot in spots {
            self.dropped.entry(spot.row().clone()).or_default().push(spot);
        }
    }
}

fn refused(edit: usize, why: Refusal) -> Refused {
    let why = Box::new(why);
    Refused { edit, why }
}
