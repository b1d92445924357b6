/// Displays and serializes an enum as its `as_str`. An unknown text, which a newer version may have written,
/// never fails deserialization.
macro_rules! open_text {
    ($type:ident, $read:expr, $description:expr) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map($read)
            }
        }

        #[cfg(feature = "schemars")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "description": $description})
            }
        }
    };
}

pub(crate) use open_text;

/// Declares an enum of texts, each variant with its text. The JSON schema describes it as `$what`.
macro_rules! text_enum {
    (
        $(#[$of_type:meta])+
        pub enum $type:ident: $what:literal {
            $($(#[$of_variant:meta])+ $variant:ident $(= $text:literal)? $(($other:ty))?,)+
        }

        $(#[$of_as_str:meta])+
        $visibility:vis fn as_str;
    ) => {
        $(#[$of_type])+
        #[non_exhaustive]
        pub enum $type {
            $($(#[$of_variant])+ $variant $(($other))?,)+
        }

        impl $type {
            $(#[$of_as_str])+
            $visibility fn as_str(&self) -> &str {
                match self {
                    $($(Self::$variant => $text,)?)+
                    Self::Unrecognized(text) => text,
                }
            }

            /// Parses the output of `as_str`.
            pub(crate) fn named(text: String) -> Self {
                match text.as_str() {
                    $($($text => Self::$variant,)?)+
                    _ => Self::Unrecognized(text),
                }
            }
        }

        $crate::forms::open_text!(
            $type,
            $type::named,
            concat!($what, ": ", $($($text, ", ",)?)+ "or a value of a newer version.")
        );
    };
}

pub(crate) use text_enum;

/// Declares an enum of texts for columns of [`schema`](crate::schema) that are text in SQL.
macro_rules! text_column {
    ($(#[$of_type:meta])+ pub enum $type:ident: $($rest:tt)+) => {
        $crate::forms::text_enum! {
            $(#[$of_type])+
            #[cfg_attr(
                feature = "schema",
                derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)
            )]
            #[cfg_attr(feature = "schema", diesel(sql_type = diesel::sql_types::Text))]
            pub enum $type: $($rest)+
        }

        #[cfg(feature = "schema")]
        const _: () = {
            use diesel::deserialize::{self, FromSql};
            use diesel::pg::{Pg, PgValue};
            use diesel::serialize::{self, IsNull, Output, ToSql};
            use diesel::sql_types::Text;

            impl FromSql<Text, Pg> for $type {
                fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                    <String as FromSql<Text, Pg>>::from_sql(value).map(Self::named)
                }
            }

            impl ToSql<Text, Pg> for $type {
                fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                    std::io::Write::write_all(out, self.as_str().as_bytes())?;
                    Ok(IsNull::No)
                }
            }
        };
    };
}

pub(crate) use text_column;
