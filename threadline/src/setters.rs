//! Methods of builders that set a field.

/// Writes methods, each of which sets the field of its name: to a text, or to a value whose name
/// and type follow.
macro_rules! setters {
    ($($(#[$doc:meta])+ $field:ident $(($value:ident: $type:ty))?,)+) => {
        $($crate::setters::setters! { @ $(#[$doc])+ $field $(($value: $type))? })+
    };
    (@ $(#[$doc:meta])+ $field:ident) => {
        $(#[$doc])+
        pub fn $field(mut self, $field: impl Into<String>) -> Self {
            self.$field = Some($field.into());
            self
        }
    };
    (@ $(#[$doc:meta])+ $field:ident ($value:ident: $type:ty)) => {
        $(#[$doc])+
        pub fn $field(mut self, $value: $type) -> Self {
            self.$field = Some($value);
            self
        }
    };
}

pub(crate) use setters;

/// Writes the method that adds an entry of metadata.
macro_rules! metadata_setter {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        pub fn metadata(mut self, $name: impl Into<String>, value: impl Into<Value>) -> Self {
            self.metadata.insert($name.into(), value.into());
            self
        }
    };
}

pub(crate) use metadata_setter;
