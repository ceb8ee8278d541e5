package import VaultModel

extension PostgresCatalog {
    package func takeDuty(_ name: String, as holder: UniqueID, seconds: Int64) async throws(VaultError) -> Bool {
        try await ask(
            """
            INSERT INTO duty (vault, name, holder, expires_at)
            VALUES ($1, $2, $3, floor(extract(epoch FROM clock_timestamp()))::bigint + $4)
            ON CONFLICT (vault, name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
            WHERE duty.holder = excluded.holder OR duty.expires_at < extract(epoch FROM clock_timestamp())
            OR duty.expires_at > excluded.expires_at + $4
            """, [vaultValue, .text(name), .bytes(holder.bytes), .int(seconds)]
        ) { $0.changed > 0 }
    }

    package func leaveDuty(_ name: String, as holder: UniqueID) async throws(VaultError) {
        try await ask(
            "DELETE FROM duty WHERE vault = $1 AND name = $2 AND holder = $3",
            [vaultValue, .text(name), .bytes(holder.bytes)]
        ) { _ in }
    }

    package func claimTime(_ name: String, at now: Int64) async throws(VaultError) -> Int64 {
        try await pool.with(isRepeatable: true) { connection in
            let key = [vaultValue, PostgresValue.text("claim: \(name)")]
            try connection.run(
                """
                INSERT INTO duty (vault, name, holder, expires_at) VALUES ($1, $2, '', $3)
                ON CONFLICT (vault, name) DO NOTHING
                """, key + [.int(now)])
            let found = try connection.run("SELECT expires_at FROM duty WHERE vault = $1 AND name = $2", key)
            return found.first?.int(0) ?? now
        }
    }

    package func claim(_ name: String, since time: Int64, at now: Int64) async throws(VaultError) -> Bool {
        try await pool.with(isRepeatable: false) { connection in
            try connection.run(
                """
                INSERT INTO duty (vault, name, holder, expires_at) VALUES ($1, $2, '', $4)
                ON CONFLICT (vault, name) DO UPDATE SET expires_at = excluded.expires_at
                WHERE duty.expires_at < $3 OR duty.expires_at > $4 + 60
                """, [vaultValue, .text("claim: \(name)"), .int(time), .int(now)]
            ).changed > 0
        }
    }
}
