#include "db/backend.hpp"
#include "db/migrate.hpp"

#include <gmock/gmock.h>

namespace skirmish::db {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(database_url, mysql_in_full) {
  const auto c = parse_database_url("mysql://game:s%40cret%2F@db.example:3307/world").value();
  EXPECT_EQ(c.kind, sql_kind::mysql);
  EXPECT_EQ(c.user, "game");
  EXPECT_EQ(c.password, "s@cret/");
  EXPECT_EQ(c.host, "db.example");
  EXPECT_EQ(c.port, 3307);
  EXPECT_EQ(c.name, "world");
}

TEST(database_url, parts_may_be_absent) {
  const auto c = parse_database_url("mariadb:///world").value();
  EXPECT_EQ(c.kind, sql_kind::mysql);
  EXPECT_EQ(c.host, "127.0.0.1");
  EXPECT_EQ(c.port, 0);
  EXPECT_EQ(c.user, "");
  EXPECT_EQ(parse_database_url("postgres://u@h/n").value().kind, sql_kind::postgresql);
  EXPECT_EQ(parse_database_url("postgresql://u:@h/n").value().password, "");
}

TEST(database_url, a_bare_at_sign_in_the_password_is_part_of_it) {
  const auto c = parse_database_url("mysql://u:a@b:c@h/n").value();
  EXPECT_EQ(c.password, "a@b:c");
  EXPECT_EQ(c.host, "h");
}

TEST(database_url, ipv6_and_unix_socket) {
  const auto six = parse_database_url("postgresql://u@[::1]:5433/n").value();
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.port, 5433);
  const auto local = parse_database_url("mysql://u@/n?unix_socket=/run/my%20db.sock").value();
  EXPECT_EQ(local.unix_socket, "/run/my db.sock");
}

TEST(database_url, sqlite_paths) {
  EXPECT_EQ(parse_database_url("sqlite:///var/a%20b.db").value().path, "/var/a b.db");
  EXPECT_EQ(parse_database_url("sqlite:game.db").value().path, "game.db");
}

TEST(database_url, refuses_what_it_does_not_understand_without_quoting_it) {
  for (const auto* bad : {"",
                          "mysql",
                          "mysql:",
                          "mysql:/h/n",
                          "oracle://u:hunter2@h/n",
                          "mysql://u:hunter2@h",
                          "mysql://u:hunter2@h/",
                          "mysql://u:hunter2@h/a/b",
                          "mysql://u:hunter2@h:0/n",
                          "mysql://u:hunter2@h:65536/n",
                          "mysql://u:hunter2@h:33x/n",
                          "mysql://u:hunter2@[::1/n",
                          "mysql://u:hunter2@[::1]x/n",
                          "mysql://u:hunter2%zz@h/n",
                          "mysql://u:hunter2%@h/n",
                          "mysql://u:hunter2%00@h/n",
                          "mysql://u:hunter2@h/n?tls=1",
                          "mysql://u:hunter2@h/n?unix_socket=",
                          "sqlite:",
                          "sqlite://",
                          "sqlite://host/x",
                          "sqlite:a%22b"}) {
    const auto read = parse_database_url(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().code, errc::invalid_argument) << bad;
    EXPECT_THAT(read.error().message, Not(HasSubstr("hunter2"))) << bad;
  }
}

TEST(database_url, is_shown_without_its_password) {
  const auto shown = [](const char* url) { return to_string(parse_database_url(url).value()); };
  EXPECT_EQ(shown("mariadb://game:hunter2@h:3307/n"), "mysql://game:***@h:3307/n");
  EXPECT_EQ(shown("mysql://g%40me:x@[::1]/n"), "mysql://g%40me:***@[::1]/n");
  EXPECT_EQ(shown("mysql://u@/n?unix_socket=/run/my%20db.sock"),
            "mysql://u@/n?unix_socket=/run/my%20db.sock");
  EXPECT_EQ(shown("sqlite:///a%20b.db"), "sqlite:///a%20b.db");
  EXPECT_EQ(shown("sqlite:b.db"), "sqlite:b.db");
}

TEST(connection_value, is_quoted) {
  EXPECT_EQ(connection_value("plain"), "'plain'");
  EXPECT_EQ(connection_value("it's a \\ b"), "'it\\'s a \\\\ b'");
}

TEST(connection_value, seconds_are_rounded_up) {
  using namespace std::chrono_literals;
  EXPECT_EQ(whole_seconds(0ms), 1);
  EXPECT_EQ(whole_seconds(1000ms), 1);
  EXPECT_EQ(whole_seconds(1001ms), 2);
}

TEST(split_statements, at_semicolons_only) {
  EXPECT_THAT(split_statements("A;\n B ;; C"), ElementsAre("A", "B", "C"));
  EXPECT_THAT(split_statements("  \n;;"), IsEmpty());
  EXPECT_THAT(split_statements("SELECT ';', \"a;b\", `c;d`, 'it''s;'; X"),
              ElementsAre("SELECT ';', \"a;b\", `c;d`, 'it''s;'", "X"));
}

TEST(split_statements, comments_go_except_those_that_mysql_reads) {
  EXPECT_THAT(split_statements("-- a; it's\nA -- b;\n; /* c; */ B"), ElementsAre("A", "B"));
  EXPECT_THAT(split_statements("A /*! ENGINE=InnoDB */; B"),
              ElementsAre("A /*! ENGINE=InnoDB */", "B"));
  EXPECT_THAT(split_statements("A/* c */B; '-- no comment'"),
              ElementsAre("A B", "'-- no comment'"));
}

TEST(migrations, files_are_ordered_and_the_dialects_own_one_wins) {
  const std::vector<migration_file> files = {
      {"0002_b.sql", "B"}, {"0001_a.mysql.sql", "A for MySQL"}, {"0001_a.sql", "A"}};
  const auto for_mysql = migrations_from(files, sql_kind::mysql);
  ASSERT_EQ(for_mysql.size(), 2U);
  EXPECT_EQ(for_mysql[0].sql, "A for MySQL");
  EXPECT_EQ(for_mysql[0].name, "a");
  EXPECT_EQ(for_mysql[1].version, 2);
  EXPECT_EQ(migrations_from(files, sql_kind::sqlite)[0].sql, "A");
}

TEST(migrations, the_checksum_is_sha256) {
  EXPECT_EQ(migrations_from({{"0001_a.sql", "abc"}}, sql_kind::sqlite)[0].checksum,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(migrations, bad_sets_of_files_are_refused) {
  const auto refused = [](const std::vector<migration_file>& files) {
    EXPECT_THROW(migrations_from(files, sql_kind::sqlite), failure) << files.front().name;
  };
  refused({{"1_a.sql", ""}});
  refused({{"0001a.sql", ""}});
  refused({{"0001_a.txt", ""}});
  refused({{"0001_a.oracle.sql", ""}});
  refused({{"0000_a.sql", ""}});
  refused({{"0002_a.sql", ""}});
  refused({{"0001_a.sql", ""}, {"0003_b.sql", ""}});
  refused({{"0001_a.sql", ""}, {"0001_b.sql", ""}});
  refused({{"0001_a.sqlite.sql", ""}, {"0001_b.sql", ""}});
}

TEST(migrations, our_own_are_well_formed) {
  for (const auto kind : {sql_kind::sqlite, sql_kind::mysql, sql_kind::postgresql})
    for (const auto& item : embedded_migrations(kind))
      EXPECT_THAT(split_statements(item.sql), Not(IsEmpty())) << item.name;
}

}  // namespace
}  // namespace skirmish::db
