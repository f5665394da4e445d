//! The functions that the real proxy adds to CEL's own.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cel::common::types::{
    BYTES_TYPE, CelBytes, CelDouble, CelList, CelMap, CelMapKey, CelString, DYN_TYPE, MAP_TYPE,
    STRING_TYPE, Type,
};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError, Value, extensions};
use regex::Regex;

use super::macros::{self, PAIRS};
use super::tree::ADD;
use super::value::owned_json;
use crate::gateway::uuid::uuid as random_id;

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;
type Args<'b, 'v> = Vec<CowVal<'b, 'v>>;

/// The longest text, bytes or list that `+` makes, in bytes or items: doubling must end.
const LONGEST: usize = 8 << 20;

/// The language of every expression. Nothing in it fails to be declared: a test holds that.
pub(super) static LANGUAGE: LazyLock<Result<Arc<Env>, DeclarationError>> =
    LazyLock::new(|| declare().map(Arc::new));

fn declare() -> Result<Env, DeclarationError> {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings)?;
    macros::declare(&mut env)?;
    env.add_overload(ADD, ADD, vec![DYN_TYPE, DYN_TYPE], add)?;
    env.add_overload(PAIRS, PAIRS, vec![DYN_TYPE], pairs)?;
    env.add_overload("random", "random", vec![], random)?;
    env.add_overload("uuid", "uuid", vec![], uuid)?;
    env.add_overload("fail", "fail", vec![STRING_TYPE], fail)?;
    both(&mut env, "json", &[DYN_TYPE], json)?;
    both(&mut env, "toJson", &[DYN_TYPE], to_json)?;
    both(&mut env, "to_json", &[DYN_TYPE], to_json)?;
    both(&mut env, "merge", &[MAP_TYPE, MAP_TYPE], merge)?;
    both(
        &mut env,
        "regexReplace",
        &[STRING_TYPE, STRING_TYPE, STRING_TYPE],
        regex_replace,
    )?;
    for (kind, id) in [(STRING_TYPE, "string"), (BYTES_TYPE, "bytes")] {
        both(&mut env, "base64Encode", &[kind.to_owned()], encode)?;
        both(&mut env, "base64Decode", &[kind.to_owned()], decode)?;
        let named = |name: &str| format!("{name}_{id}");
        env.add_overload(
            "base64.encode",
            &named("encode"),
            vec![kind.to_owned()],
            encode,
        )?;
        env.add_overload("base64.decode", &named("decode"), vec![kind], decode)?;
    }
    Ok(env)
}

/// Declares `f(x, ..)` and `x.f(..)`.
fn both(
    env: &mut Env,
    name: &str,
    args: &[Type],
    function: cel::common::functions::Function,
) -> Result<(), DeclarationError> {
    let kinds: Vec<&str> = args.iter().map(Type::name).collect();
    let id = format!("{name}({})", kinds.join(","));
    env.add_overload(
        name,
        &id,
        args.iter().map(Type::to_owned).collect(),
        function,
    )?;
    let target = args[0].to_owned();
    let rest = args[1..].iter().map(Type::to_owned).collect();
    env.add_member_overload(name, &format!("member {id}"), target, rest, function)
}

fn add<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let [left, right] = two(&args)?;
    if length(left) + length(right) > LONGEST {
        return Err(ExecutionError::function_error(
            "_+_",
            "the result is too long",
        ));
    }
    let wrong = || {
        let value = |v: &dyn Val| Value::try_from(v).unwrap_or(Value::Null);
        ExecutionError::UnsupportedBinaryOperator("add", value(left), value(right))
    };
    let sum = left.as_adder().ok_or_else(wrong)?.add(right)?;
    Ok(CowVal::Owned(sum.into_owned()))
}

fn length(value: &dyn Val) -> usize {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return text.inner().len();
    }
    if let Some(bytes) = value.downcast_ref::<CelBytes>() {
        return bytes.inner().len();
    }
    value
        .downcast_ref::<CelList>()
        .map_or(0, |list| list.inner().len())
}

fn pairs<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let list = args.first().and_then(|list| list.downcast_ref::<CelList>());
    let list = list.ok_or_else(ExecutionError::missing_argument_or_target)?;
    let mut map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
    for pair in list.inner() {
        let pair = pair.downcast_ref::<CelList>().map(|pair| pair.inner());
        if let Some([key, value]) = pair {
            map.insert(CelMapKey::try_from(key.clone())?, value.clone());
        }
    }
    Ok(CowVal::owned(CelMap::from(map)))
}

fn random<'b, 'v>(_: Args<'b, 'v>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelDouble::from(rand::random_range(
        0.0..=1.0,
    ))))
}

/// A random UUID (RFC 9562, version 4).
fn uuid<'b, 'v>(_: Args<'b, 'v>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelString::from(random_id())))
}

fn fail<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let message = string(args.first())?;
    Err(ExecutionError::function_error(
        "fail",
        format!("fail() called: {message}"),
    ))
}

/// JSON in a text or in bytes.
fn json<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let bytes = bytes(args.first())?;
    let value = serde_json::from_slice(bytes);
    let value = value.map_err(|error| ExecutionError::function_error("json", error))?;
    Ok(CowVal::Owned(owned_json(value)))
}

fn to_json<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let value = args
        .first()
        .ok_or_else(ExecutionError::missing_argument_or_target)?;
    let value = Value::try_from(value.as_ref())?;
    let json = value.json();
    let json = json.map_err(|_| ExecutionError::function_error("toJson", "no JSON"))?;
    Ok(CowVal::owned(CelString::from(json.to_string())))
}

/// The entries of both maps; the second wins.
fn merge<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let mut all: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = HashMap::new();
    for map in &args {
        let map = map.downcast_ref::<CelMap>();
        let map = map.ok_or_else(ExecutionError::missing_argument_or_target)?;
        all.extend(map.inner().iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    Ok(CowVal::owned(CelMap::from(all)))
}

/// Replaces the first match.
fn regex_replace<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let (text, pattern, with) = (
        string(args.first())?,
        string(args.get(1))?,
        string(args.get(2))?,
    );
    let regex = Regex::new(pattern);
    let regex = regex.map_err(|error| ExecutionError::function_error("regexReplace", error))?;
    Ok(CowVal::owned(CelString::from(
        regex.replace(text, with).into_owned(),
    )))
}

fn encode<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelString::from(
        STANDARD.encode(bytes(args.first())?),
    )))
}

fn decode<'b, 'v>(args: Args<'b, 'v>) -> Answer<'b, 'v> {
    let decoded = STANDARD.decode(bytes(args.first())?);
    let decoded =
        decoded.map_err(|error| ExecutionError::function_error("base64.decode", error))?;
    Ok(CowVal::owned(CelBytes::from(decoded)))
}

fn two<'a, 'b, 'v>(args: &'a [CowVal<'b, 'v>]) -> Result<[&'a (dyn Val + 'v); 2], ExecutionError> {
    match args {
        [left, right] => Ok([left.as_ref(), right.as_ref()]),
        _ => Err(ExecutionError::invalid_argument_count(2, args.len())),
    }
}

fn string<'a>(arg: Option<&'a CowVal<'_, '_>>) -> Result<&'a str, ExecutionError> {
    let text = arg.and_then(|value| value.downcast_ref::<CelString>());
    text.map(CelString::inner)
        .ok_or_else(ExecutionError::missing_argument_or_target)
}

fn bytes<'a>(arg: Option<&'a CowVal<'_, '_>>) -> Result<&'a [u8], ExecutionError> {
    let arg = arg.ok_or_else(ExecutionError::missing_argument_or_target)?;
    if let Some(text) = arg.downcast_ref::<CelString>() {
        return Ok(text.inner().as_bytes());
    }
    let bytes = arg.downcast_ref::<CelBytes>();
    bytes
        .map(CelBytes::inner)
        .ok_or_else(|| ExecutionError::UnexpectedType {
            got: arg.get_type().name().to_string(),
            want: "string or bytes".to_string(),
        })
}
