-- Where a result goes by post is said when the dossier is filed (particulars); there is no second place for it.
DROP TABLE postal_address;
