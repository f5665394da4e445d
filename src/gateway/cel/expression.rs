//! One expression of a policy: compiled once, asked often.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::thread;

use bytes::Bytes;
use cel::{Context, ExecutionError, FunctionContext, Value};
use http::header::HeaderValue;

use super::facts::{Facts, Scope};
use super::functions::LANGUAGE;
use super::tree::{Alternatives, DEFAULT, Needs, Tree};

/// The longest expression that the CRD takes, in characters.
const LONGEST: usize = 16_384;

/// Levels of nesting that are evaluated on the stack of whoever asks. The interpreter takes some
/// 40 KiB a level where it is not optimized, and a thread of the runtime has 2 MiB.
const SHALLOW: usize = 24;

/// Brackets that may be open at once: the parser descends into each, even when it has given up.
const DEEPEST_BRACKETS: usize = 200;

/// Address space for the stack of a deeper evaluation, in bytes; only what is touched is ever had.
const EVALUATION_STACK: usize = 32 << 20;

/// Address space for the parser's stack, in bytes for each byte that it reads, and some.
const PARSER_STACK: usize = 16 << 10;

/// Rounds of comprehensions that one evaluation may run, nested ones included.
const ROUNDS: u32 = 100_000;

/// A compiled expression.
pub struct Expression {
    source: Box<str>,
    tree: Tree,
    alternatives: Arc<[Alternatives]>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.source)
    }
}

impl Expression {
    /// Compiles an expression; the error says what is wrong and where.
    pub fn compile(source: &str) -> Result<Expression, String> {
        if source.chars().count() > LONGEST {
            return Err(format!(
                "the expression is longer than {LONGEST} characters"
            ));
        }
        if brackets(source) > DEEPEST_BRACKETS {
            return Err(format!(
                "more than {DEEPEST_BRACKETS} brackets are open at once"
            ));
        }
        let mut tree = parse(source)?;
        let alternatives = std::mem::take(&mut tree.alternatives).into();
        Ok(Expression {
            source: source.into(),
            tree,
            alternatives,
        })
    }

    /// What must be at hand for an evaluation.
    pub fn needs(&self) -> Needs {
        self.tree.needs
    }

    /// The value of the expression, or why it has none: a fact is missing, types don't fit, it costs too much.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Result<Value, String> {
        // Arithmetic on what clients send must not end a connection, whatever the interpreter does.
        let gave_up = |_| Err("the interpreter gave up".to_string());
        if self.tree.depth <= SHALLOW {
            return catch_unwind(AssertUnwindSafe(|| self.resolve(facts))).unwrap_or_else(gave_up);
        }
        apart(EVALUATION_STACK, || self.resolve(facts))?.unwrap_or_else(gave_up)
    }

    fn resolve(&self, facts: &Facts<'_>) -> Result<Value, String> {
        let language = LANGUAGE.as_ref().map_err(ToString::to_string)?;
        let scope = Scope {
            facts: *facts,
            left: AtomicU32::new(ROUNDS),
        };
        let mut context = Context::with_env(Arc::clone(language));
        context.set_variable_resolver(&scope);
        if !self.alternatives.is_empty() {
            let alternatives = Arc::clone(&self.alternatives);
            let choose = move |ftx: &FunctionContext<'_, '_>, number: i64| {
                choose(&alternatives, ftx, number)
            };
            context
                .add_function(DEFAULT, choose)
                .map_err(|error| error.to_string())?;
        }
        Value::resolve(&self.tree.root, &context).map_err(|error| error.to_string())
    }

    /// Whether the expression is true; without a value it is not.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        self.evaluate(facts) == Ok(Value::Bool(true))
    }

    /// The value as that of a header: only texts and bytes are.
    pub fn header(&self, facts: &Facts<'_>) -> Option<HeaderValue> {
        match self.evaluate(facts).ok()? {
            Value::String(text) => HeaderValue::from_str(&text).ok(),
            Value::Bytes(bytes) => HeaderValue::from_bytes(&bytes).ok(),
            _ => None,
        }
    }

    /// The value as a whole number.
    pub fn number(&self, facts: &Facts<'_>) -> Option<i64> {
        match self.evaluate(facts).ok()? {
            Value::Int(number) => Some(number),
            Value::UInt(number) => i64::try_from(number).ok(),
            _ => None,
        }
    }

    /// The value as a body: texts and bytes as they are, all else as JSON.
    pub fn body(&self, facts: &Facts<'_>) -> Option<Bytes> {
        match self.evaluate(facts).ok()? {
            Value::String(text) => Some(Bytes::from(Arc::unwrap_or_clone(text))),
            Value::Bytes(bytes) => Some(Bytes::from(Arc::unwrap_or_clone(bytes))),
            value => value.json().ok().map(|json| Bytes::from(json.to_string())),
        }
    }
}

/// The most brackets that are open at once, those in texts counted as well.
fn brackets(source: &str) -> usize {
    let mut most = 0;
    source.bytes().fold(0_usize, |open, byte| {
        let open = match byte {
            b'(' | b'[' | b'{' => open + 1,
            b')' | b']' | b'}' => open.saturating_sub(1),
            _ => open,
        };
        most = most.max(open);
        open
    });
    most
}

/// The parser descends with its input, so it gets a stack for the longest one; what it made of a
/// tree that is too deep is gone again before anything else has to descend into it.
fn parse(source: &str) -> Result<Tree, String> {
    let work = || {
        let language = LANGUAGE.as_ref().map_err(ToString::to_string)?;
        let parsed = language.parser().parse(source);
        Tree::prepare(parsed.map_err(|errors| errors.to_string())?)
    };
    let gave_up = |_| Err("the parser gave up".to_string());
    let stack = (16 << 20) + source.len() * PARSER_STACK;
    apart(stack, work)?.unwrap_or_else(gave_up)
}

/// Does something that descends on a stack of its own; the inner error is a panic.
fn apart<T: Send>(
    stack: usize,
    work: impl FnOnce() -> T + Send,
) -> Result<thread::Result<T>, String> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(stack);
        let thread = thread.spawn_scoped(scope, work);
        let thread = thread.map_err(|error| format!("no thread to work in: {error}"))?;
        Ok(thread.join())
    })
}

/// `default(first, other)`: the other one where the first is null or is about something that is not there.
fn choose(
    alternatives: &[Alternatives],
    ftx: &FunctionContext<'_, '_>,
    number: i64,
) -> Result<Value, ExecutionError> {
    let pair = usize::try_from(number)
        .ok()
        .and_then(|n| alternatives.get(n));
    let (first, other) = pair.ok_or_else(|| ftx.error("no such alternative"))?;
    match Value::resolve(first, ftx.ptx) {
        Ok(Value::Null)
        | Err(ExecutionError::NoSuchKey(_) | ExecutionError::UndeclaredReference(_)) => {
            Value::resolve(other, ftx.ptx)
        }
        found => found,
    }
}
