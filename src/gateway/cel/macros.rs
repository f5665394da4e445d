//! What the real proxy adds to CEL's syntax: calls whose arguments are not evaluated first.
//!
//! Each becomes comprehensions over one value, which is how CEL binds a name.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, operators,
};
use cel::parser::{Macro, MacroExprHelper, ParseError};
use cel::{DeclarationError, Env};

/// A list of pairs as a map.
pub(super) const PAIRS: &str = "@pairs";
const RESULT: &str = "@result";
const MAP: &str = "@map";
const KEY: &str = "@key";

type Expansion = Result<Option<IdedExpr>, ParseError>;
type Helper<'a, 'h> = &'a mut MacroExprHelper<'h>;

pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_macro(Macro::receiver("with", 2, |h, target, args| {
        receiver(h, target, args, |h, target, name, body| {
            bind(h, target, name, body)
        })
    }))?;
    env.add_macro(Macro::receiver("mapValues", 2, |h, target, args| {
        receiver(h, target, args, map_values)
    }))?;
    env.add_macro(Macro::receiver("filterKeys", 2, |h, target, args| {
        receiver(h, target, args, |h, target, name, body| {
            keys(h, target, name, Some(body), value)
        })
    }))?;
    env.add_macro(Macro::receiver("removeKeys", 2, |h, target, args| {
        receiver(h, target, args, |h, target, name, body| {
            let not = operation(h, operators::LOGICAL_NOT, vec![body]);
            keys(h, target, name, Some(not), value)
        })
    }))
}

/// Takes `target.call(name, body)` apart.
fn receiver(
    helper: Helper<'_, '_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
    expand: fn(Helper<'_, '_>, IdedExpr, String, IdedExpr) -> IdedExpr,
) -> Expansion {
    // What is written otherwise stays a call, and has no value: the controller takes it (facts 4.5).
    if !matches!(args.first().map(|name| &name.expr), Some(Expr::Ident(_))) {
        return Ok(None);
    }
    match (args.pop(), args.pop().map(|name| name.expr), target.take()) {
        (Some(body), Some(Expr::Ident(name)), Some(target)) => {
            Ok(Some(expand(helper, target, name, body)))
        }
        _ => Err(helper.new_error(0, "expected a target, a name and an expression")),
    }
}

/// `target.with(name, body)`
fn bind(h: Helper<'_, '_>, target: IdedExpr, name: String, body: IdedExpr) -> IdedExpr {
    let only = h.next_expr(Expr::List(ListExpr::new(vec![target])));
    let nothing = h.next_expr(Expr::Literal(LiteralValue::Null));
    comprehension(h, only, name, nothing, body)
}

/// `target.mapValues(name, body)`
fn map_values(h: Helper<'_, '_>, target: IdedExpr, name: String, body: IdedExpr) -> IdedExpr {
    let looked_up = value(h, KEY);
    let changed = bind(h, looked_up, name, body);
    pairs_of(h, target, KEY.to_string(), None, changed)
}

fn keys(
    h: Helper<'_, '_>,
    target: IdedExpr,
    name: String,
    kept: Option<IdedExpr>,
    value: fn(Helper<'_, '_>, &str) -> IdedExpr,
) -> IdedExpr {
    let value = value(h, &name);
    pairs_of(h, target, name, kept, value)
}

/// The value of the bound map at a key.
fn value(h: Helper<'_, '_>, key: &str) -> IdedExpr {
    let (map, key) = (ident(h, MAP), ident(h, key));
    operation(h, operators::INDEX, vec![map, key])
}

/// A map of the keys that are kept, each with a value made anew.
fn pairs_of(
    h: Helper<'_, '_>,
    target: IdedExpr,
    key: String,
    kept: Option<IdedExpr>,
    value: IdedExpr,
) -> IdedExpr {
    let named = ident(h, &key);
    let pair = h.next_expr(Expr::List(ListExpr::new(vec![named, value])));
    let item = h.next_expr(Expr::List(ListExpr::new(vec![pair])));
    let result = ident(h, RESULT);
    let mut step = operation(h, operators::ADD, vec![result, item]);
    if let Some(kept) = kept {
        let unchanged = ident(h, RESULT);
        step = operation(h, operators::CONDITIONAL, vec![kept, step, unchanged]);
    }
    let empty = h.next_expr(Expr::List(ListExpr::new(Vec::new())));
    let map = ident(h, MAP);
    let list = comprehension(h, map, key, empty, step);
    let pairs = operation(h, PAIRS, vec![list]);
    bind(h, target, MAP.to_string(), pairs)
}

fn ident(h: Helper<'_, '_>, name: &str) -> IdedExpr {
    h.next_expr(Expr::Ident(name.to_string()))
}

fn operation(h: Helper<'_, '_>, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    h.next_expr(Expr::Call(CallExpr {
        func_name: name.to_string(),
        target: None,
        args,
    }))
}

fn comprehension(
    h: Helper<'_, '_>,
    iter_range: IdedExpr,
    iter_var: String,
    accu_init: IdedExpr,
    loop_step: IdedExpr,
) -> IdedExpr {
    let loop_cond = h.next_expr(Expr::Literal(LiteralValue::Boolean(true.into())));
    let result = ident(h, RESULT);
    h.next_expr(Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range,
        iter_var,
        iter_var2: None,
        accu_var: RESULT.to_string(),
        accu_init,
        loop_cond,
        loop_step,
        result,
    })))
}
