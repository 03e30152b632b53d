"""Which database engines a store lies on, and what is said of the others."""

from __future__ import annotations

import sqlalchemy as sa


def test_the_tests_have_a_mariadb(mariadb_url: str) -> None:
    engine = sa.create_engine(mariadb_url)
    with engine.connect() as conn:
        assert getattr(conn.dialect, "is_mariadb", False)
        assert conn.scalar(sa.text("SELECT DATABASE()")) == "ecsviz"
        assert sa.inspect(conn).get_table_names() == []
    engine.dispose()
