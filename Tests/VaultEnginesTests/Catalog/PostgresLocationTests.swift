import Testing

@testable import VaultEngines

@Suite struct PostgresLocationTests {
    @Test(arguments: [
        "postgres://anna:secret@db/minivault", "postgresql://anna:secret@db:5432/minivault?sslmode=require",
        "postgres://anna:s%65cret@db/minivault", "postgres://anna%3Ab:secret@db", "postgres://:secret@db/minivault",
        "postgres://anna@db/minivault?password=secret", "postgres://anna@db/minivault?sslmode=require&password=secret",
        "postgres://anna@db/minivault?p%61ssword=secret", "postgres://anna:secret@one:1,two:2/minivault",
        "postgres:///minivault?host=/run&sslpassword=secret", "host=db user=anna password=secret",
        "password = 'two words' host=db", "host=db sslpassword=secret", "dbname='postgres://anna:secret@db/minivault'",
    ])
    func aPasswordIsFoundInWhateverForm(_ location: String) {
        #expect(PostgresDatabase.hasSecret(location))
    }

    @Test(arguments: [
        "postgres://anna@db/minivault", "postgres://anna@db/password", "postgres://password@db/minivault",
        "postgres://anna:@db/minivault", "postgres:///minivault?host=/run&passfile=/etc/pgpass",
        "postgres://db/minivault?service=vaults", "host=db user=anna password=''", "user=password", "",
        "host=db nothing=secret", "s3://bucket/prefix",
    ])
    func whatHoldsNoPasswordIsLetPass(_ location: String) {
        #expect(!PostgresDatabase.hasSecret(location))
    }
}
