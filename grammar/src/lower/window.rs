//! How do windows and their frames become trees?
//!
//! Not here: what a frame holds (`bind::window`).

use super::{Lower, Pair};
use crate::ast::{Expr, Frame, FrameBound, FrameExclude, FrameUnit, Over, WindowSpec};
use crate::diag::Diag;
use crate::parse::Rule;

impl Lower {
    /// `OVER name`, `OVER (..)`
    pub(super) fn over(&mut self, pair: Pair<'_>) -> Result<Over, Diag> {
        let mut over = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => over = Some(Over::Name(self.name(&part))),
                Rule::window_spec => over = Some(Over::Spec(self.window_spec(part)?)),
                _ => {}
            }
        }
        Ok(over.expect("OVER names a window or writes one"))
    }

    pub(super) fn window_spec(&mut self, pair: Pair<'_>) -> Result<WindowSpec, Diag> {
        let span = self.span(&pair);
        let mut spec = WindowSpec { base: None, partition_by: Vec::new(), order_by: Vec::new(), frame: None, span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::base_window => {
                    let name = part.into_inner().next().expect("a base is a name");
                    spec.base = Some(self.name(&name));
                }
                Rule::partition_by => spec.partition_by = self.exprs(part)?,
                Rule::order_by => spec.order_by = self.order_by(part)?,
                Rule::frame => spec.frame = Some(self.frame(part)?),
                _ => {}
            }
        }
        Ok(spec)
    }

    fn frame(&mut self, pair: Pair<'_>) -> Result<Frame, Diag> {
        let span = self.span(&pair);
        let (mut unit, mut exclude, mut bounds) = (FrameUnit::Rows, FrameExclude::NoOthers, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_range => unit = FrameUnit::Range,
                Rule::kw_groups => unit = FrameUnit::Groups,
                Rule::frame_bound => bounds.push(self.frame_bound(part)?),
                Rule::frame_exclude => {
                    for word in part.into_inner() {
                        match word.as_rule() {
                            Rule::kw_current => exclude = FrameExclude::CurrentRow,
                            Rule::kw_group => exclude = FrameExclude::Group,
                            Rule::kw_ties => exclude = FrameExclude::Ties,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        let mut bounds = bounds.into_iter();
        let start = bounds.next().expect("a frame has a bound");
        let end = bounds.next().unwrap_or(FrameBound::CurrentRow);
        Ok(Frame { unit, start, end, exclude, span })
    }

    fn frame_bound(&mut self, pair: Pair<'_>) -> Result<FrameBound, Diag> {
        let (mut count, mut preceding, mut current) = (None::<Expr>, false, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::bound => count = Some(self.expr(part)?),
                Rule::kw_preceding => preceding = true,
                Rule::kw_current => current = true,
                _ => {}
            }
        }
        Ok(match (current, preceding, count) {
            (true, _, _) => FrameBound::CurrentRow,
            (false, true, None) => FrameBound::UnboundedPreceding,
            (false, true, Some(count)) => FrameBound::Preceding(Box::new(count)),
            (false, false, None) => FrameBound::UnboundedFollowing,
            (false, false, Some(count)) => FrameBound::Following(Box::new(count)),
        })
    }
}
