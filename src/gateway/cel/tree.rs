//! An expression as the parser read it: what it needs, and the form in which its cost is bounded.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators,
};

use super::facts::ROOTS;

/// Deeper trees are refused, so that no expression can exhaust the stack.
const DEEPEST: usize = 200;

/// A variable that is true while evaluation may go on, and then no longer there.
pub(super) const TICK: &str = "@tick";
/// `variables()`: everything that is known.
pub(super) const VARIABLES: &str = "@variables";
/// `+`, but for results that are too long.
pub(super) const ADD: &str = "@add";
/// `default(e, d)`: the number of a pair of alternatives.
pub(super) const DEFAULT: &str = "@default";

/// What must be at hand before an expression can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    pub request: bool,
    pub request_body: bool,
    pub response_body: bool,
    pub llm: bool,
}

impl Needs {
    pub fn and(self, other: Needs) -> Needs {
        Needs {
            request: self.request || other.request,
            request_body: self.request_body || other.request_body,
            response_body: self.response_body || other.response_body,
            llm: self.llm || other.llm,
        }
    }

    fn see(&mut self, path: &[&str]) {
        match path {
            ["request", "body", ..] => self.request_body = true,
            ["response", "body", ..] => self.response_body = true,
            ["llm", ..] => self.llm = true,
            [root, ..] if ROOTS.contains(root) => {}
            _ => return,
        }
        self.request |= path[0] != "response";
    }
}

/// Two expressions, the second for when the first has no value.
pub(super) type Alternatives = (IdedExpr, IdedExpr);

/// A prepared expression.
#[derive(Debug)]
pub(super) struct Tree {
    pub root: IdedExpr,
    pub alternatives: Vec<Alternatives>,
    pub needs: Needs,
    /// Levels of nesting.
    pub depth: usize,
}

impl Tree {
    /// Prepares what the parser read; refuses it when it is nested too deep.
    pub fn prepare(mut root: IdedExpr) -> Result<Tree, String> {
        let depth = depth(&root);
        let depth =
            depth.ok_or_else(|| format!("the expression is nested deeper than {DEEPEST}"))?;
        let mut tree = Tree {
            root: IdedExpr::default(),
            alternatives: Vec::new(),
            needs: Needs::default(),
            depth,
        };
        tree.rewrite(&mut root);
        tree.root = root;
        Ok(tree)
    }

    fn rewrite(&mut self, node: &mut IdedExpr) {
        if let Some(path) = path_of(node) {
            self.needs.see(&path);
        }
        match &mut node.expr {
            Expr::Call(call) => {
                if call.func_name == "variables" {
                    self.needs = Needs {
                        request: true,
                        request_body: true,
                        response_body: true,
                        llm: true,
                    };
                }
                let children = call.target.as_deref_mut().into_iter().chain(&mut call.args);
                children.for_each(|child| self.rewrite(child));
            }
            Expr::Select(select) => self.rewrite(&mut select.operand),
            Expr::List(list) => list.elements.iter_mut().for_each(|e| self.rewrite(e)),
            Expr::Map(map) => map.entries.iter_mut().for_each(|e| self.entry(&mut e.expr)),
            Expr::Struct(s) => s.entries.iter_mut().for_each(|e| self.entry(&mut e.expr)),
            Expr::Comprehension(c) => {
                let parts = [
                    &mut c.iter_range,
                    &mut c.accu_init,
                    &mut c.loop_cond,
                    &mut c.loop_step,
                    &mut c.result,
                ];
                parts.into_iter().for_each(|part| self.rewrite(part));
                bound(c);
            }
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
        self.replace(&mut node.expr);
    }

    fn entry(&mut self, entry: &mut EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.rewrite(&mut field.value),
            EntryExpr::MapEntry(entry) => {
                self.rewrite(&mut entry.key);
                self.rewrite(&mut entry.value);
            }
        }
    }

    fn replace(&mut self, expr: &mut Expr) {
        let Expr::Call(call) = expr else { return };
        match (call.func_name.as_str(), call.args.len(), &call.target) {
            (operators::ADD, 2, None) if !is_append(&call.args[1]) => {
                call.func_name = ADD.to_string();
            }
            (operators::INDEX, 2, None) => {
                if let Some(field) = header_name(&call.args) {
                    *expr = Expr::Select(SelectExpr {
                        operand: Box::new(call.args.swap_remove(0)),
                        field,
                        test: false,
                    });
                }
            }
            ("variables", 0, None) => *expr = Expr::Ident(VARIABLES.to_string()),
            ("default", 2, None) => {
                let number = i64::try_from(self.alternatives.len()).unwrap_or(i64::MAX);
                if let (Some(other), Some(first)) = (call.args.pop(), call.args.pop()) {
                    self.alternatives.push((first, other));
                }
                call.func_name = DEFAULT.to_string();
                call.args = vec![literal(LiteralValue::Int(number.into()))];
            }
            _ => {}
        }
    }
}

/// `request.headers["X-Who"]` as `request.headers.x-who`: header names know no case, and a whole
/// path is looked up at once.
fn header_name(args: &[IdedExpr]) -> Option<String> {
    let path = path_of(&args[0])?;
    let is_headers = matches!(path[..], ["request" | "response", "headers"]);
    match &args[1].expr {
        Expr::Literal(LiteralValue::String(name)) if is_headers => {
            Some(name.inner().to_ascii_lowercase())
        }
        _ => None,
    }
}

/// Every round of a comprehension costs a tick. `map` and `filter` keep the shape that the
/// interpreter runs without copying, so theirs is paid in the appended item.
fn bound(c: &mut ComprehensionExpr) {
    match append_of(&mut c.loop_step) {
        Some(item) if matches!(c.loop_cond.expr, Expr::Literal(_)) => paid(item),
        _ => paid(&mut c.loop_cond),
    }
}

/// The item of `@result + [item]`, perhaps behind a condition.
fn append_of(step: &mut IdedExpr) -> Option<&mut IdedExpr> {
    let Expr::Call(call) = &mut step.expr else {
        return None;
    };
    match call.func_name.as_str() {
        // A condition that is never true would cost nothing.
        operators::CONDITIONAL => call.args.first_mut(),
        operators::ADD => match &mut call.args.get_mut(1)?.expr {
            Expr::List(list) => list.elements.first_mut(),
            _ => None,
        },
        _ => None,
    }
}

fn is_append(right: &IdedExpr) -> bool {
    matches!(&right.expr, Expr::List(_))
}

fn paid(node: &mut IdedExpr) {
    let inner = std::mem::take(node);
    let tick = || IdedExpr {
        id: 0,
        expr: Expr::Ident(TICK.to_string()),
    };
    *node = IdedExpr {
        id: inner.id,
        expr: Expr::Call(CallExpr {
            func_name: operators::CONDITIONAL.to_string(),
            target: None,
            args: vec![tick(), inner, tick()],
        }),
    };
}

pub(super) fn literal(value: LiteralValue) -> IdedExpr {
    IdedExpr {
        id: 0,
        expr: Expr::Literal(value),
    }
}

/// The names of `a.b.c`.
fn path_of(node: &IdedExpr) -> Option<Vec<&str>> {
    let mut path = Vec::new();
    let mut node = node;
    loop {
        match &node.expr {
            Expr::Ident(name) => {
                path.push(name.as_str());
                path.reverse();
                return Some(path);
            }
            Expr::Select(select) => {
                path.push(select.field.as_str());
                node = &select.operand;
            }
            _ => return None,
        }
    }
}

/// The levels of a tree that is not too deep, found without descending.
fn depth(root: &IdedExpr) -> Option<usize> {
    let mut level = vec![root];
    for depth in 1..=DEEPEST {
        level = level.iter().flat_map(|node| children(node)).collect();
        if level.is_empty() {
            return Some(depth);
        }
    }
    None
}

fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|e| parts(&e.expr)).collect(),
        Expr::Struct(s) => s.entries.iter().flat_map(|e| parts(&e.expr)).collect(),
        Expr::Comprehension(c) => vec![
            &c.iter_range,
            &c.accu_init,
            &c.loop_cond,
            &c.loop_step,
            &c.result,
        ],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
    }
}

fn parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}
