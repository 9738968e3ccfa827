-- +goose Up
-- A foreign key is checked for each row by a query of its own, which takes longer than all else of inserting a
-- member or a published file. What inserts them holds the repository's row, or makes the publication in the same transaction, and
-- finds the units under the lock against those who clean. What deletes them stays here.
ALTER TABLE membership DROP CONSTRAINT membership_repository_id_fkey, DROP CONSTRAINT membership_unit_id_fkey;
ALTER TABLE published_file DROP CONSTRAINT published_file_publication_id_fkey;

-- +goose StatementBegin
CREATE FUNCTION drop_members() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM membership WHERE repository_id = OLD.id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER drop_members AFTER DELETE ON repository FOR EACH ROW EXECUTE FUNCTION drop_members();

-- +goose StatementBegin
CREATE FUNCTION drop_published_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM published_file WHERE publication_id = OLD.id;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER drop_published_files AFTER DELETE ON publication FOR EACH ROW EXECUTE FUNCTION drop_published_files();
