//! What does one row of a family's table say?
//!
//! The macro writes the signature, the batch loop and the path from the leaf's name, the classes and the shape.

/// Defines `TABLE`, the functions of a family: one row each, from which come the binder's signature, the batch loop and
/// the path that generated code prints.
///
/// `"name" (ArgClass, ...) -> RetClass, Shape, leaf, "doc";` or, with a batch loop of its own,
/// `... leaf by batch_function, "doc";`
macro_rules! functions {
    ($module:literal; $($name:literal ($($arg:ident),*) -> $ret:ident, $shape:ident, $leaf:ident $(by $batch:path)?, $doc:literal;)*) => {
        /// The functions of this family.
        pub static TABLE: &[$crate::func::Function] = &[$(
            $crate::func::Function {
                name: $name,
                args: &[$($crate::ty::TypeClass::$arg),*],
                ret: $crate::ty::TypeClass::$ret,
                shape: $crate::func::Shape::$shape,
                path: concat!($module, "::", stringify!($leaf)),
                batch: $crate::func::lift::functions!(@batch $name, [$($batch)?], ($($arg),*), $ret, $shape, $leaf),
                doc: $doc,
            },
        )*];
    };
    (@batch $name:literal, [$batch:path], $args:tt, $ret:ident, $shape:ident, $leaf:ident) => { $batch };
    (@batch $name:literal, [], $args:tt, Text, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, Text, $shape, $leaf)
    };
    (@batch $name:literal, [], $args:tt, Json, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, Json, $shape, $leaf)
    };
    (@batch $name:literal, [], $args:tt, Blob, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, Blob, $shape, $leaf)
    };
    (@batch $name:literal, [], $args:tt, Array, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, Array, $shape, $leaf)
    };
    (@batch $name:literal, [], $args:tt, BigNumeric, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, BigNumeric, $shape, $leaf)
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, Total, $leaf:ident) => {
        |columns, len| $crate::func::lift::total::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, Fallible, $leaf:ident) => {
        |columns, len| $crate::func::lift::fallible::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, Partial, $leaf:ident) => {
        |columns, len| $crate::func::lift::partial::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, NullAware, $leaf:ident) => {
        |columns, len| $crate::func::lift::null_aware::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@strings $name:literal, ($($arg:ident),*), $ret:ident, $shape:ident, $leaf:ident) => {
        |columns, len| $crate::func::lift::strings::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret, _>(
            $crate::func::lift::Call { function: $name, columns, len },
            !matches!($crate::func::Shape::$shape, $crate::func::Shape::Fallible),
            $crate::func::lift::functions!(@appending $leaf, $($arg)*),
        )
    };
    (@fixed $leaf:ident, $a:ident) => { |(a,)| $leaf(a) };
    (@fixed $leaf:ident, $a:ident $b:ident) => { |(a, b)| $leaf(a, b) };
    (@fixed $leaf:ident, $a:ident $b:ident $c:ident) => { |(a, b, c)| $leaf(a, b, c) };
    (@fixed $leaf:ident, $a:ident $b:ident $c:ident $d:ident) => { |(a, b, c, d)| $leaf(a, b, c, d) };
    (@fixed $leaf:ident, $a:ident $b:ident $c:ident $d:ident $e:ident) => { |(a, b, c, d, e)| $leaf(a, b, c, d, e) };
    (@appending $leaf:ident, $a:ident) => { |(a,), out| $leaf(a, out) };
    (@appending $leaf:ident, $a:ident $b:ident) => { |(a, b), out| $leaf(a, b, out) };
    (@appending $leaf:ident, $a:ident $b:ident $c:ident) => { |(a, b, c), out| $leaf(a, b, c, out) };
    (@appending $leaf:ident, $a:ident $b:ident $c:ident $d:ident) => { |(a, b, c, d), out| $leaf(a, b, c, d, out) };
    (@appending $leaf:ident, $a:ident $b:ident $c:ident $d:ident $e:ident) => {
        |(a, b, c, d, e), out| $leaf(a, b, c, d, e, out)
    };
}
pub(crate) use functions;
