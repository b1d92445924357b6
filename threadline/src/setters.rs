/// Writes methods of a builder, each of which sets the field of its name to a text.
macro_rules! text_setters {
    ($($(#[$doc:meta])+ $field:ident,)+) => {
        $(
            $(#[$doc])+
            pub fn $field(mut self, $field: impl Into<String>) -> Self {
                self.$field = Some($field.into());
                self
            }
        )+
    };
}

pub(crate) use text_setters;
