SELECT threadline.first_transaction_since({0}::timestamptz), threadline.last_transaction_by({1}::timestamptz)
