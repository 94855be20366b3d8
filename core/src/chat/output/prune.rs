//! What a request allows of the form that a template has.

use super::form::{Form, Mark};

/// What the answer is to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// Text, calls or both, as the template has it; `or` may stand in place of text.
    Free { or: Option<Form> },
    /// Calls without any text.
    Calls,
    /// This in place of the text.
    Value(Form),
}

/// Removes all calls after the first: some families' parsers read several whatever
/// they are told.
pub(super) fn single_call(form: Form) -> Form {
    match form {
        Form::Repeat { child, min, max, .. } => {
            let max = if child.has(Mark::Tool) { Some(1) } else { max };
            Form::repeat(single_call(*child), min, max)
        }
        Form::Sequence(children) => Form::Sequence(children.into_iter().map(single_call).collect()),
        Form::Choice(children) => Form::Choice(children.into_iter().map(single_call).collect()),
        // A call's own repetitions are its arguments'.
        other => other,
    }
}

/// Removes what the answer must not be, and the marks.
pub(super) fn prune(form: &Form, answer: &Answer) -> Form {
    match form {
        Form::Marked(Mark::Content, child) => match answer {
            Answer::Free { or: None } => prune(child, answer),
            Answer::Free { or: Some(form) } => Form::Choice(vec![form.clone(), prune(child, answer)]),
            // What stands between the thoughts and the calls.
            Answer::Calls => Form::Space,
            Answer::Value(value) => value.clone(),
        },
        Form::Marked(_, child) => prune(child, answer),
        Form::Choice(children) => {
            let wanted = wanted(answer);
            let some_have_it = wanted.is_some_and(|mark| form.has(mark));
            let kept = children.iter().filter(|child| !some_have_it || wanted.is_some_and(|mark| child.has(mark)));
            let mut kept: Vec<&Form> = kept.collect();
            // Calls after text may have a form of their own.
            let follows_text = |child: &Form| child.has(Mark::Content) && !child.has(Mark::Reasoning);
            if *answer == Answer::Calls && kept.iter().any(|child| child.has(Mark::Tool) && !child.has(Mark::Content)) {
                kept.retain(|child| !follows_text(child));
            }
            Form::Choice(kept.into_iter().map(|child| prune(child, answer)).collect())
        }
        Form::Sequence(children) => prune_sequence(children, answer),
        Form::Repeat { child, min, max, .. } => match answer {
            // A preamble; where the text stands between delimiters, so would the space.
            Answer::Calls if child.has(Mark::Content) && !child.has(Mark::Tool) && !child.has(Mark::Reasoning) => {
                match prune(child, answer) {
                    pruned if pruned.is_space() => Form::Space,
                    _ if *min == 0 => Form::Empty,
                    pruned => pruned,
                }
            }
            Answer::Value(_) if child.has(Mark::Content) && *min == 0 && max.is_none() => Form::Empty,
            // The value is there once.
            Answer::Value(_) if child.has(Mark::Content) => prune(child, answer),
            _ => Form::repeat(prune(child, answer), *min, *max),
        },
        Form::Peek { child, negated } => {
            Form::Peek { child: Box::new(prune(child, &Answer::Free { or: None })), negated: *negated }
        }
        other => other.clone(),
    }
}

/// What every alternative must have where one has it.
fn wanted(answer: &Answer) -> Option<Mark> {
    match answer {
        Answer::Free { .. } => None,
        Answer::Calls => Some(Mark::Tool),
        Answer::Value(_) => Some(Mark::Content),
    }
}

fn prune_sequence(children: &[Form], answer: &Answer) -> Form {
    let with_calls = children.iter().filter(|child| child.has(Mark::Tool)).count();
    let prune_child = |child: &Form| match child {
        // The calls must not be left out, even where the template's parser could do without.
        Form::Repeat { child, min: 0, max, .. }
            if *answer == Answer::Calls && with_calls == 1 && child.has(Mark::Tool) =>
        {
            Form::repeat(prune(child, answer), 1, *max)
        }
        child => prune(child, answer),
    };
    Form::Sequence(children.iter().map(prune_child).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Form {
        Form::Marked(Mark::Content, Box::new(Form::Until(Vec::new())))
    }

    fn call() -> Form {
        Form::Marked(Mark::Tool, Box::new(Form::literal("call")))
    }

    #[test]
    fn required_calls_come_without_text() {
        let form = Form::Sequence(vec![Form::optional(content()), Form::optional(call())]);
        let expected = Form::Sequence(vec![Form::Space, Form::repeat(Form::literal("call"), 1, Some(1))]);
        assert_eq!(prune(&form, &Answer::Calls), expected);
    }

    #[test]
    fn text_between_delimiters_is_left_out_with_them() {
        let enclosed = Form::Sequence(vec![Form::literal("<text>"), content(), Form::literal("</text>")]);
        let form = Form::Sequence(vec![Form::optional(enclosed), call()]);
        assert_eq!(prune(&form, &Answer::Calls), Form::Sequence(vec![Form::Empty, Form::literal("call")]));
    }

    #[test]
    fn calls_without_text_before_them_are_preferred() {
        let after_text = Form::Sequence(vec![Form::literal("all"), content(), call()]);
        let form = Form::Choice(vec![after_text, call()]);
        assert_eq!(prune(&form, &Answer::Calls), Form::Choice(vec![Form::literal("call")]));
    }

    #[test]
    fn alternatives_without_what_is_wanted_are_left_out() {
        let form = Form::Choice(vec![call(), content()]);
        assert_eq!(prune(&form, &Answer::Calls), Form::Choice(vec![Form::literal("call")]));
        let value = Form::Lark("%json {}".to_owned());
        assert_eq!(prune(&form, &Answer::Value(value.clone())), Form::Choice(vec![value]));
    }
}
