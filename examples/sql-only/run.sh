#!/bin/sh
# The whole example on the database that DATABASE_URL names, which should be empty.
set -eu
cd "$(dirname "$0")"
: "${DATABASE_URL:?set it to an empty database, as in postgres:///club}"
threadline=${THREADLINE:-threadline}
psql="${PSQL:-psql} -X -q -v ON_ERROR_STOP=1 $DATABASE_URL"

$psql -f tables.sql

"$threadline" install
"$threadline" audit --yes
"$threadline" status

$psql -o /dev/null -f day.sql
$psql -f questions.sql

"$threadline" history members 1
"$threadline" work --once
"$threadline" verify --deny-unaudited
