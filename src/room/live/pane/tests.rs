use super::*;

fn at(position: u64) -> Reached {
    Reached {
        position,
        heads: Vec::new().into(),
        epoch: 0,
    }
}

fn pane(steps: impl IntoIterator<Item = (u64, u64, Option<&'static str>)>) -> Arc<Pane> {
    let pane = Pane::new(PaneKey::default(), 0);
    for (from, upto, text) in steps {
        pane.step(from, at(upto), text.map(str::to_owned));
    }
    pane
}

fn frames(texts: &[&'static str], upto: u64) -> Pulled {
    Pulled::Frames(
        texts.iter().map(|text| Utf8Bytes::from_static(text)).collect(),
        at(upto),
    )
}

#[test]
fn a_receiver_pulls_what_lies_behind_its_place_and_is_durable() {
    let pane = pane([(0, 2, Some("a")), (2, 3, None), (3, 5, Some("b"))]);
    assert_eq!(pane.pull(&at(0), 5), frames(&["a", "b"], 5));
    assert_eq!(pane.pull(&at(2), 5), frames(&["b"], 5));
    assert_eq!(pane.pull(&at(0), 4), frames(&["a"], 3));
    assert_eq!(pane.pull(&at(0), 1), Pulled::Nothing);
    assert_eq!(pane.pull(&at(5), 9), Pulled::Nothing);
}

#[test]
fn who_stands_within_a_step_is_told_the_difference_unless_it_says_nothing() {
    let pane = pane([(0, 3, Some("a")), (3, 6, None), (6, 9, None), (9, 10, Some("b"))]);
    assert_eq!(pane.pull(&at(1), 10), Pulled::Behind);
    assert_eq!(pane.pull(&at(7), 10), frames(&["b"], 10));
}

#[test]
fn steps_that_say_nothing_are_told_while_others_follow_and_take_no_room() {
    let pane = pane([(0, 1, Some("a"))]);
    let mut told = 0;
    for position in 1..1_000 {
        pane.step(position, at(position + 1), None);
        // The newest is never on disk yet.
        pane.announce(position, 0);
        if let Pulled::Frames(_, reached) = pane.pull(&at(told), position) {
            told = reached.position;
        }
        assert_eq!(told, position);
    }
    assert!(pane.ring().steps.len() <= 4, "{}", pane.ring().steps.len());
    assert_eq!(
        pane.pull(&at(0), 1_000),
        frames(&["a"], 1_000),
        "nothing was pushed out"
    );
}

#[test]
fn what_is_kept_is_bounded_and_who_is_far_behind_is_told_at_once() {
    let pane = pane((0..100).map(|n| (n, n + 1, Some("x"))));
    assert_eq!(pane.pull(&at(30), 100), Pulled::Behind, "forgotten");
    assert_eq!(pane.pull(&at(90), 100), Pulled::Behind, "ten frames are one difference");
    assert_eq!(pane.pull(&at(98), 100), frames(&["x", "x"], 100));
}

#[test]
fn who_is_far_behind_what_has_ended_is_told_that_it_has() {
    let long = pane((0..100).map(|n| (n, n + 1, Some("x"))));
    long.end(100, at(101), Gone::View);
    let apart = pane([(0, 1, Some("a"))]);
    apart.apart(1, at(2));
    apart.end(2, at(101), Gone::View);
    for (pane, behind) in [(&long, 30), (&long, 60), (&apart, 1)] {
        assert_eq!(pane.pull(&at(behind), 100), Pulled::Nothing, "not on disk yet");
        assert_eq!(pane.pull(&at(behind), 101), Pulled::Ended(Gone::View));
    }
}

#[test]
fn another_epoch_or_meaning_asks_for_a_snapshot() {
    let pane = pane([(0, 1, Some("a"))]);
    let other = Reached { epoch: 1, ..at(0) };
    assert_eq!(pane.pull(&other, 1), Pulled::Anew);
    pane.anew(1, at(2));
    assert_eq!(pane.pull(&at(0), 1), frames(&["a"], 1));
    assert_eq!(pane.pull(&at(0), 2), Pulled::Anew);
    pane.end(2, at(3), Gone::View);
    assert_eq!(pane.pull(&at(2), 2), Pulled::Nothing, "not on disk yet");
    assert_eq!(pane.pull(&at(2), 3), Pulled::Ended(Gone::View));
    pane.clear();
    assert!(!pane.has_ended());
}
