//! Which token sequences the KV cache keeps: a radix tree, in which sequences that begin alike share what
//! they have in common.
//!
//! Every leaf is the end of one kept sequence, which has an id in the KV cache. A node's tokens take one cell
//! each, however many sequences share them.

use crate::backend::Token;

/// The root, which has no tokens.
const ROOT: usize = 0;

#[derive(Debug, Default)]
struct Node {
    tokens: Vec<Token>,
    parent: usize,
    children: Vec<usize>,
    /// Running sequences whose shared part ends here.
    pins: usize,
    /// The sequence that ends here, if this is a leaf.
    end: Option<End>,
}

/// The end of a kept sequence.
#[derive(Debug, Clone, Copy)]
struct End {
    id: i32,
    /// When it was last of use.
    used: u64,
}

/// The kept sequences.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Places in `nodes` that are not in use.
    free: Vec<usize>,
    clock: u64,
}

/// The beginning of a kept sequence that a running one shares. It stays until [`Tree::unpin`] is called.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::generate) struct Pin {
    node: usize,
    tokens: usize,
}

impl Pin {
    /// How long the shared part is.
    pub(in crate::generate) fn tokens(&self) -> usize {
        self.tokens
    }
}

/// What came of [`Tree::insert`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// Another sequence begins with all of it.
    Covered,
    Added {
        /// How many of its first tokens another sequence has, and which.
        shared: Option<(usize, i32)>,
        /// A sequence that is a part of the new one, and is not kept for itself any more.
        replaced: Option<i32>,
    },
}

/// What [`Tree::evict`] has let go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Evicted {
    pub(super) id: i32,
    /// How many of the sequence's first tokens are still kept under its id, because they are in use; 0 where
    /// the id is free.
    pub(super) kept: usize,
}

/// How far a way down the tree leads.
struct Place {
    /// The node that it ends in, and how many of its tokens it takes.
    node: usize,
    within: usize,
    /// Tokens from the root on.
    depth: usize,
}

impl Tree {
    pub(super) fn new() -> Self {
        Tree { nodes: vec![Node::default()], free: Vec::new(), clock: 0 }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.ends().count()
    }

    /// Cells that are kept.
    pub(super) fn cells(&self) -> usize {
        self.nodes.iter().map(|node| node.tokens.len()).sum()
    }

    /// Those of them that running sequences share.
    pub(super) fn pinned_cells(&self) -> usize {
        let mut counted = vec![false; self.nodes.len()];
        let mut cells = 0;
        for pinned in (0..self.nodes.len()).filter(|&index| self.nodes[index].pins > 0) {
            let mut index = pinned;
            while index != ROOT && !std::mem::replace(&mut counted[index], true) {
                cells += self.nodes[index].tokens.len();
                index = self.nodes[index].parent;
            }
        }
        cells
    }

    /// The ids of all kept sequences.
    pub(super) fn ids(&self) -> impl Iterator<Item = i32> {
        self.ends().map(|(_, end)| end.id)
    }

    /// All kept sequences, those that were of use last first: their ids and tokens.
    pub(super) fn sequences(&self) -> Vec<(i32, Vec<Token>)> {
        let mut ends: Vec<(usize, End)> = self.ends().collect();
        ends.sort_unstable_by_key(|(_, end)| std::cmp::Reverse(end.used));
        ends.into_iter().map(|(index, end)| (end.id, self.tokens(index))).collect()
    }

    /// The tokens of the sequence that ends in a node.
    fn tokens(&self, index: usize) -> Vec<Token> {
        let mut way = vec![index];
        while let Some(&last) = way.last().filter(|last| **last != ROOT) {
            way.push(self.nodes[last].parent);
        }
        way.iter().rev().flat_map(|&index| &self.nodes[index].tokens).copied().collect()
    }

    /// The longest beginning of `tokens` that a sequence has, and the one that was of use last of those which
    /// have it.
    pub(super) fn longest(&self, tokens: &[Token]) -> Option<(usize, i32)> {
        let place = self.walk(tokens);
        if place.depth == 0 {
            return None;
        }
        self.newest_below(place.node).map(|(_, end)| (place.depth, end.id))
    }

    /// Notes that the kept sequence which begins with these tokens is of use, and keeps them.
    pub(super) fn pin(&mut self, tokens: &[Token]) -> Option<Pin> {
        let place = self.walk(tokens);
        if tokens.is_empty() || place.depth < tokens.len() {
            return None;
        }
        let node = self.cut(&place);
        self.touch(node);
        self.nodes[node].pins += 1;
        Some(Pin { node, tokens: tokens.len() })
    }

    /// Another running sequence shares the same.
    pub(super) fn pin_again(&mut self, pin: &Pin) -> Pin {
        self.nodes[pin.node].pins += 1;
        Pin { ..*pin }
    }

    #[expect(clippy::needless_pass_by_value, reason = "it is of no use afterwards")]
    pub(super) fn unpin(&mut self, pin: Pin) {
        self.nodes[pin.node].pins -= 1;
    }

    /// Keeps a sequence under an id, unless another one has all of it.
    pub(super) fn insert(&mut self, tokens: &[Token], id: i32) -> Inserted {
        let place = self.walk(tokens);
        if place.depth == tokens.len() {
            self.touch(place.node);
            return Inserted::Covered;
        }
        let shared = if place.depth == 0 { None } else { self.newest_below(place.node) };
        let shared = shared.map(|(_, end)| (place.depth, end.id));
        let parent = self.cut(&place);
        let replaced = self.nodes[parent].end.take().map(|end| end.id);
        self.clock += 1;
        let end = Some(End { id, used: self.clock });
        let leaf = Node { tokens: tokens[place.depth..].to_vec(), parent, end, ..Node::default() };
        let leaf = self.add(leaf);
        self.nodes[parent].children.push(leaf);
        Inserted::Added { shared, replaced }
    }

    /// Lets go of the sequence that was of no use for longest, as far as no other kept or running one shares
    /// it. `None` when all that is kept is in use.
    pub(super) fn evict(&mut self) -> Option<Evicted> {
        let unused = self.ends().filter(|(index, _)| self.nodes[*index].pins == 0);
        let (mut index, end) = unused.min_by_key(|(_, end)| end.used)?;
        loop {
            let parent = self.remove_leaf(index);
            let node = &mut self.nodes[parent];
            if parent == ROOT || !node.children.is_empty() {
                return Some(Evicted { id: end.id, kept: 0 });
            }
            if node.pins > 0 {
                node.end = Some(end);
                return Some(Evicted { id: end.id, kept: self.depth(parent) });
            }
            index = parent;
        }
    }

    fn ends(&self) -> impl Iterator<Item = (usize, End)> {
        self.nodes.iter().enumerate().filter_map(|(index, node)| Some((index, node.end?)))
    }

    /// Goes down as far as `tokens` lead.
    fn walk(&self, tokens: &[Token]) -> Place {
        let mut place = Place { node: ROOT, within: 0, depth: 0 };
        loop {
            let rest = &tokens[place.depth..];
            let node = &self.nodes[place.node];
            let next = node.children.iter().copied().find(|&child| self.nodes[child].tokens.first() == rest.first());
            let Some(next) = next.filter(|_| place.within == node.tokens.len() && !rest.is_empty()) else {
                return place;
            };
            let within = self.nodes[next].tokens.iter().zip(rest).take_while(|(a, b)| a == b).count();
            place = Place { node: next, within, depth: place.depth + within };
        }
    }

    /// The node that ends at a place; where none does, the one there is cut in two.
    fn cut(&mut self, place: &Place) -> usize {
        let lower = place.node;
        if place.within == self.nodes[lower].tokens.len() {
            return lower;
        }
        // What refers to the node means its end, so that the new one is the upper.
        let rest = self.nodes[lower].tokens.split_off(place.within);
        let tokens = std::mem::replace(&mut self.nodes[lower].tokens, rest);
        let parent = self.nodes[lower].parent;
        let upper = self.add(Node { tokens, parent, children: vec![lower], ..Node::default() });
        self.nodes[lower].parent = upper;
        if let Some(child) = self.nodes[parent].children.iter_mut().find(|child| **child == lower) {
            *child = upper;
        }
        upper
    }

    fn add(&mut self, node: Node) -> usize {
        if let Some(index) = self.free.pop() {
            self.nodes[index] = node;
            index
        } else {
            self.nodes.push(node);
            self.nodes.len() - 1
        }
    }

    /// Removes a leaf; gives its parent.
    fn remove_leaf(&mut self, index: usize) -> usize {
        let parent = std::mem::take(&mut self.nodes[index]).parent;
        self.nodes[parent].children.retain(|child| *child != index);
        self.free.push(index);
        parent
    }

    /// The sequence that was of use last of those which go through a node.
    fn newest_below(&self, node: usize) -> Option<(usize, End)> {
        let own = self.nodes[node].end.map(|end| (node, end));
        let below = self.nodes[node].children.iter().filter_map(|child| self.newest_below(*child));
        below.chain(own).max_by_key(|(_, end)| end.used)
    }

    fn touch(&mut self, node: usize) {
        self.clock += 1;
        if let Some((leaf, _)) = self.newest_below(node) {
            self.nodes[leaf].end = self.nodes[leaf].end.map(|end| End { used: self.clock, ..end });
        }
    }

    fn depth(&self, mut index: usize) -> usize {
        let mut depth = 0;
        while index != ROOT {
            depth += self.nodes[index].tokens.len();
            index = self.nodes[index].parent;
        }
        depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(shared: Option<(usize, i32)>, replaced: Option<i32>) -> Inserted {
        Inserted::Added { shared, replaced }
    }

    #[test]
    fn sequences_share_how_they_begin() {
        let mut tree = Tree::new();
        assert_eq!(tree.longest(&[1, 2]), None);
        assert_eq!(tree.insert(&[1, 2, 3, 4], 10), added(None, None));
        assert_eq!(tree.insert(&[1, 2, 5], 11), added(Some((2, 10)), None));
        assert_eq!(tree.insert(&[7], 12), added(None, None));
        assert_eq!((tree.cells(), tree.len()), (6, 3));
        assert_eq!(tree.longest(&[1, 2, 3, 9, 9]), Some((3, 10)));
        assert_eq!(tree.longest(&[1, 2, 5, 6]), Some((3, 11)));
        assert_eq!(tree.longest(&[1, 9]), Some((1, 11)), "the newest of those that begin so");
        assert_eq!(tree.longest(&[8]), None);
    }

    #[test]
    fn what_another_sequence_has_is_kept_once() {
        let mut tree = Tree::new();
        tree.insert(&[1, 2], 10);
        assert_eq!(tree.insert(&[1, 2, 3], 11), added(Some((2, 10)), Some(10)));
        assert_eq!(tree.insert(&[1, 2, 3], 12), Inserted::Covered);
        assert_eq!(tree.insert(&[1], 13), Inserted::Covered);
        assert_eq!((tree.cells(), tree.ids().collect::<Vec<_>>()), (3, vec![11]));
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut tree = Tree::new();
        tree.insert(&[1, 2, 3], 10);
        tree.insert(&[1, 4], 11);
        tree.insert(&[5], 12);
        let pin = tree.pin(&[1, 2]).unwrap();
        tree.unpin(pin);
        let order: Vec<_> = std::iter::from_fn(|| tree.evict()).map(|evicted| evicted.id).collect();
        assert_eq!(order, [11, 12, 10]);
        assert_eq!((tree.cells(), tree.len()), (0, 0));
        assert_eq!(tree.insert(&[1], 13), added(None, None), "places are used again");
    }

    #[test]
    fn what_is_in_use_stays() {
        let mut tree = Tree::new();
        tree.insert(&[1, 2, 3, 4], 10);
        let pin = tree.pin(&[1, 2]).unwrap();
        assert_eq!((pin.tokens(), tree.pinned_cells()), (2, 2));
        assert_eq!(tree.evict(), Some(Evicted { id: 10, kept: 2 }));
        assert_eq!((tree.evict(), tree.cells()), (None, 2));
        assert_eq!(tree.longest(&[1, 2, 3]), Some((2, 10)));
        // Another sequence takes it over, and goes again.
        assert_eq!(tree.insert(&[1, 2, 8], 11), added(Some((2, 10)), Some(10)));
        let again = tree.pin_again(&pin);
        tree.unpin(pin);
        assert_eq!(tree.evict(), Some(Evicted { id: 11, kept: 2 }));
        tree.unpin(again);
        assert_eq!((tree.evict(), tree.cells()), (Some(Evicted { id: 11, kept: 0 }), 0));
        assert_eq!(tree.pin(&[1]), None);
    }

    /// Against lists of tokens.
    #[test]
    fn random_sequences_are_found() {
        let mut tree = Tree::new();
        let mut kept: Vec<(i32, Vec<Token>)> = Vec::new();
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for id in 0..2000 {
            let tokens: Vec<Token> = (0..=random(12)).map(|_| Token::try_from(random(3)).unwrap()).collect();
            let common = |other: &[Token]| other.iter().zip(&tokens).take_while(|(a, b)| a == b).count();
            let longest = kept.iter().map(|(_, other)| common(other)).max().unwrap_or(0);
            assert_eq!(tree.longest(&tokens).map_or(0, |(length, _)| length), longest);
            if let Inserted::Added { replaced, .. } = tree.insert(&tokens, id) {
                kept.retain(|(other, _)| Some(*other) != replaced);
                kept.push((id, tokens));
            }
            if random(3) == 0 {
                let evicted = tree.evict().unwrap();
                kept.retain(|(other, _)| *other != evicted.id);
            }
            let mut beginnings: Vec<&[Token]> =
                kept.iter().flat_map(|(_, tokens)| (1..=tokens.len()).map(|length| &tokens[..length])).collect();
            beginnings.sort_unstable();
            beginnings.dedup();
            assert_eq!((tree.cells(), tree.len()), (beginnings.len(), kept.len()));
        }
    }
}
