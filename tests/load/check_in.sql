-- The plain table of the floor and of pgbench; the template declares the same one.
CREATE TABLE check_in (
    id uuid PRIMARY KEY,
    patient_id uuid NOT NULL,
    instrument text NOT NULL,
    answers smallint[] NOT NULL,
    total smallint NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX check_in_by_patient ON check_in (patient_id, recorded_at) INCLUDE (total);
