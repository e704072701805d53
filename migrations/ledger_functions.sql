-- The only ways into the ledger for the application, which may not write its tables itself.
-- app/kernel/ledger.py says what the hash covers and computes it a second time to verify.

CREATE FUNCTION ledger_open(p_clinic_id uuid, p_patient_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF p_clinic_id IS DISTINCT FROM nullif(current_setting('app.clinic_id', true), '')::uuid THEN
        RAISE insufficient_privilege;
    END IF;
    INSERT INTO ledger_head (clinic_id, patient_id, seq, prev_hash, hash)
    VALUES (p_clinic_id, p_patient_id, 0, '', decode(repeat('00', 32), 'hex'));
END $$;

CREATE FUNCTION ledger_append(
    p_clinic_id uuid, p_patient_id uuid, p_at timestamptz, p_actor_id uuid, p_actor_role text,
    p_action text, p_entry_kind text, p_entry_id uuid, p_entry_version integer, p_snapshot bytea
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    last_seq bigint;
    last_hash bytea;
    new_hash bytea;
BEGIN
    IF p_clinic_id IS DISTINCT FROM nullif(current_setting('app.clinic_id', true), '')::uuid THEN
        RAISE insufficient_privilege;
    END IF;
    -- One statement locks the head, numbers the row and chains it; on the right of each `=` stands
    -- the head as it was. The lock lasts until the transaction ends: commit order is ledger order.
    UPDATE ledger_head SET
        seq = seq + 1,
        prev_hash = hash,
        hash = sha256(
            hash
            || convert_to(
                concat_ws('|', p_clinic_id, p_patient_id, seq + 1,
                    (extract(epoch FROM p_at) * 1000000)::bigint,
                    p_actor_id, p_actor_role, p_action, p_entry_kind, p_entry_id, p_entry_version),
                'UTF8')
            || sha256(p_snapshot))
        WHERE clinic_id = p_clinic_id AND patient_id = p_patient_id
        RETURNING seq, prev_hash, hash INTO last_seq, last_hash, new_hash;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no ledger' USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO ledger (clinic_id, patient_id, seq, at, actor_id, actor_role, action, entry_kind,
        entry_id, entry_version, snapshot, prev_hash, hash)
    VALUES (p_clinic_id, p_patient_id, last_seq, p_at, p_actor_id, p_actor_role, p_action,
        p_entry_kind, p_entry_id, p_entry_version, p_snapshot, last_hash, new_hash);
    RETURN last_seq;
END $$;

REVOKE ALL ON FUNCTION ledger_open, ledger_append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_open, ledger_append TO afterglow_app;
