-- The floor's INSERT, for pgbench: an id nobody has used, and a patient per client.
INSERT INTO check_in (id, patient_id, instrument, answers, total, recorded_at)
VALUES (
    gen_random_uuid(), lpad(to_hex(:client_id::int), 32, '0')::uuid, 'phq-9',
    '{1,2,0,3,1,0,2,0,0}', 9, now()
);
