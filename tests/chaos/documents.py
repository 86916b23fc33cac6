"""A real PDF."""

from io import BytesIO

from pypdf import PdfWriter


def a_real_pdf() -> bytes:
    """One empty A4 page."""
    writer = PdfWriter()
    writer.add_blank_page(width=595, height=842)
    written = BytesIO()
    writer.write(written)
    return written.getvalue()
