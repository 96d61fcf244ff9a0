//! The macro that makes an enum of facts, its kinds, and its lines out of one list.

/// Declares facts. It is given the enum as one would write it, with three additions:
///
/// - after each variant the word for its kind in the log;
/// - after each field the key that it stands under there: several for a field that is several values, and `()` for a
///   field that brings its own keys (see [`Field`](super::value::Field));
/// - after `or`, if anything, what is read where the field is absent, since older versions did not write it.
///
/// Fields stand in a line in the order of the list. Out of
///
/// ```ignore
/// facts! {
///     /// What happened.
///     pub enum FactOf<N: Family>, EventKind {
///         /// A trunk was found up or down.
///         TrunkUp = "trunk_up" {
///             /// The trunk.
///             trunk: N::Trunk = "trunk",
///             /// Whether it answers.
///             up: bool = "up",
///             /// How long that took to be found out.
///             after: Duration = "after_us" or Duration::ZERO,
///         },
///         /// A process began.
///         Started = "started",
///     }
/// }
/// ```
///
/// it makes
///
/// - `enum FactOf<N: Family> { TrunkUp { trunk: N::Trunk, up: bool, after: Duration }, Started }`, documented;
/// - `enum EventKind { TrunkUp, Started }`, which are [`words`](crate::base::words), and `FactOf::kind`;
/// - `write`, which appends `,"trunk":"carrier","up":true,"after_us":5` to a line;
/// - `read`, which makes the fact of a kind and the fields of a line;
/// - `named`, which makes `FactOf<Texts>` of a `FactOf<Ids>`.
///
/// There is nothing else in it: each function is one match with one arm for each variant, and all arms do the same
/// to each of their fields. What happens to a field is decided by its type, in `value.rs` and `family.rs`.
macro_rules! facts {
    (
        $(#[$attribute:meta])*
        pub enum $Fact:ident<$N:ident: $Family:ident>, $Kind:ident {
            $(
                $(#[$doc:meta])*
                $Variant:ident = $word:literal $({
                    $(
                        $(#[$field_doc:meta])*
                        $field:ident: $type:ty = $keys:tt $(or $absent:expr)?,
                    )+
                })?,
            )+
        }
    ) => {
        $(#[$attribute])*
        pub enum $Fact<$N: $Family> {
            $($(#[$doc])* $Variant $({ $($(#[$field_doc])* $field: $type,)+ })?,)+
        }

        words!(
            /// The kinds of events in the log.
            $Kind { $($(#[$doc])* $Variant = $word,)+ }
        );

        impl<$N: $Family> $Fact<$N> {
            /// Its kind.
            #[must_use]
            pub const fn kind(&self) -> $Kind {
                match self {
                    $($Fact::$Variant { .. } => $Kind::$Variant,)+
                }
            }
        }

        impl<'a> $Fact<Texts<'a>> {
            /// Appends its fields to a line.
            pub(super) fn write(&self, line: &mut Line<'_>) {
                match self {
                    $($Fact::$Variant { $($($field,)+)? } => {
                        $($(Field::write($field, $keys, line);)+)?
                    })+
                }
            }

            /// Reads its fields from a line.
            pub(super) fn read(kind: $Kind, line: &mut Fields<'a>) -> Result<Self, BadLine> {
                Ok(match kind {
                    $($Kind::$Variant => $Fact::$Variant {
                        $($($field: {
                            let field = Field::read($keys, line);
                            $(let field = field.or(Ok::<_, BadLine>($absent));)?
                            field?
                        },)+)?
                    },)+
                })
            }
        }

        impl $Fact<Ids> {
            /// The same with names. Nothing is copied but numbers and words.
            pub(super) fn named<'a>(&'a self, names: &'a Names) -> $Fact<Texts<'a>> {
                match self {
                    $($Fact::$Variant { $($($field,)+)? } => $Fact::$Variant {
                        $($($field: Named::named($field, names),)+)?
                    },)+
                }
            }
        }
    };
}

pub(super) use facts;
