"""The file of a recorded job: its schema, reader, writer and checker."""
