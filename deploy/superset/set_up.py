"""Make Superset's own database what this version needs, its administrator, and the dashboards as the bundle has them.

Run by `make bi` in Superset's environment. Standard input: one JSON object with `bundle` (path → text), `password` (of
ClickHouse's user bi) and `first` (whether the database is new, or of another version). Safe to repeat.
"""

import json
import sys
from pathlib import Path

from flask import current_app, g
from flask_migrate import upgrade
from superset.app import create_app


def main() -> None:
    """Do it; each step is said on standard output before it begins."""
    given = json.load(sys.stdin)
    with create_app().app_context():
        from superset import appbuilder, security_manager
        from superset.commands.importers.v1.assets import ImportAssetsCommand

        home = Path(current_app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")).parent
        if given["first"]:
            import superset

            say("making its database")
            upgrade(directory=str(Path(superset.__file__).parent / "migrations"))
            say("making its roles")
            appbuilder.add_permissions(update_perms=True)
            security_manager.sync_role_definitions()
        known = json.loads((home / "secrets.json").read_text())
        admin = security_manager.find_user("admin")
        if admin is None:
            role = security_manager.find_role("Admin")
            admin = security_manager.add_user("admin", "Throughline", "Admin", "admin@localhost", role, known["admin"])
            if not admin:
                sys.exit("Superset could not make its user admin")
        say("importing the dashboards")
        g.user = admin
        passwords = {"databases/throughline.yaml": given["password"]}
        ImportAssetsCommand(given["bundle"], passwords=passwords).run()


def say(what: str) -> None:
    """One line for who waits."""
    print(f"  Superset: {what} …", flush=True)


if __name__ == "__main__":
    main()
