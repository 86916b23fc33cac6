"""What the catalogue's filters are called by people."""

LEVELS = {"full": "Toàn trình", "partial": "Một phần", "information_only": "Cung cấp thông tin"}
AGENCY_LEVELS = {"ministry": "Cấp bộ", "province": "Cấp tỉnh", "district": "Cấp huyện", "commune": "Cấp xã"}
AUDIENCES = {"citizen": "Công dân", "organisation": "Tổ chức", "business": "Doanh nghiệp"}
