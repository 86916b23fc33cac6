-- A statement may be fetched by the service itself: then nobody imported it.
ALTER TABLE statement ALTER COLUMN officer_ref DROP NOT NULL;
