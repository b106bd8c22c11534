"""A first project from facts about files: gather files, relate tables, read roles off columns, draft, write YAML."""
